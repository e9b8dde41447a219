# Doxygen's view of a public header: comments that read well as plain text become marked up ones,
# and what is named with a _ at its end, made for other macros and inline functions, is left out.
#
# "Python: ..." and "Returns ..." at the start of a line get places of their own. Every mp_ and MP_
# name becomes a link, so that a name which does not exist is an error. A #define that follows
# another has its comment, and each code the one that stands in MP_ERRORS_. With `man` a " in a
# comment is \001, see pages.awk.

function links(text,    parts, n, i, word)
{
    n = split(text, parts, "`") # code between two of them is left alone
    text = ""
    for (i = 1; i <= n; i++) {
        text = text (i == 1 ? "" : "`")
        if (i % 2 == 1)
            gsub(/[\\@<>#]/, "\\\\&", parts[i])
        while (i % 2 == 1 && match(parts[i], /(mp|MP)_[A-Za-z0-9_]*[A-Za-z0-9]/)) {
            word = substr(parts[i], RSTART, RLENGTH)
            if (RSTART == 1 || substr(parts[i], RSTART - 1, 1) !~ /[A-Za-z0-9_"]/)
                word = "#" word
            text = text substr(parts[i], 1, RSTART - 1) word
            parts[i] = substr(parts[i], RSTART + RLENGTH)
        }
        text = text parts[i]
    }
    return text
}

function prose(line)
{
    if (line ~ /^ \* Python: /) # not a word of it is a command
        return " * **Python:** ``" substr(line, 12) "``<br>"
    if (match(line, /^ \* \\(file|param [a-z_]+)/))
        return substr(line, 1, RLENGTH) links(substr(line, RLENGTH + 1))
    if (line ~ /^ \* Returns /) {
        in_returns = 1
        return " * \\return " links(substr(line, 12))
    }
    if (in_returns && last ~ /[^.]\.$/) { # another sentence ends them
        in_returns = 0
        return " *\n" links(line)
    }
    return links(line)
}

function say(line)
{
    if (man)
        gsub(/"/, "\001", line)
    comment = comment line "\n"
    print line
}

# The README: a title can be linked to as on the web, `mp_name` is a link, and one to a header is
# one to its page; what else of the tree it links to has no page.
function readme(line,    text, link, id)
{
    if (line ~ /^##/) {
        id = tolower(line)
        gsub(/^#+ |[^a-z0-9 -]/, "", id)
        gsub(/ /, "-", id)
        return line " {#" id "}"
    }
    while (match(line, /`(mp|MP)_[A-Za-z0-9_]*[A-Za-z0-9]`/)) {
        text = text substr(line, 1, RSTART - 1) "#" substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
    }
    line = text line
    text = ""
    while (match(line, /\[[^]]*\]\([^)]*\)/)) {
        text = text substr(line, 1, RSTART - 1)
        link = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (link ~ /\(include\/mp\//) {
            gsub(/`|include\/mp\/|#[^)]*/, "", link)
            sub(/\(/, "(@ref ", link)
        } else if (link !~ /\((https?:|#)/) {
            sub(/^\[/, "", link)
            sub(/\]\(.*/, "", link)
        }
        text = text link
    }
    return text line
}

FILENAME ~ /\.md$/ {
    if (/^```/)
        fenced = !fenced
    print fenced ? $0 : readme($0)
    next
}

/^\/\*\* .* \*\/$/ {
    comment = ""
    text = substr($0, 5, length($0) - 7)
    python = match(text, / ?Python: /)
    after = python + RLENGTH
    if (python > 1)
        say("/** " links(substr(text, 1, python - 1)))
    text = python ? "**Python:** " links(substr(text, after)) : links(text)
    say((python > 1 ? " * " : "/** ") text " */")
    fresh = 1
    next
}

/^\/\*\*$/ {
    commented = 1
    in_returns = in_code = 0
    comment = ""
    say($0)
    next
}

commented {
    in_code = / \*     / && (in_code || last == " *") || in_code && $0 == " *"
    if ($0 == " *")
        in_returns = 0
    if (/^ \*\/$/) {
        commented = 0
        fresh = 1
    }
    say(in_code || !commented ? $0 : prose($0))
    last = $0
    next
}

/^    X\(E/ {
    split($0, quoted, "\"")
    name = substr(quoted[1], 7)
    sub(/,.*/, "", name)
    codes = codes " MP_" name ", /**< " quoted[2] "; Python: " quoted[4] " */"
}

/^    MP_ERRORS_\(/ {
    print codes
    next
}

# What is named with a _ at its end, and how it ends.
/^#define MP_[A-Za-z0-9_]*_(\(| |$)/ {
    dropped = "[^\\\\]$"
}
/^typedef struct mp_[a-z_]*_ \{$/ {
    dropped = "^}"
}
/^ *MP_ERROR_FIRST_/ || /^_Static_assert/ || /; \/\* of .*\.h \*\/$/ || /^MP_API .*[a-z]_\(.*;$/ {
    dropped = "$"
}
dropped != "" {
    if ($0 ~ dropped)
        dropped = ""
    comment = ""
    print ""
    next
}

match($0, /\/\*\*< /) {
    $0 = substr($0, 1, RSTART + 4) links(substr($0, RSTART + 5))
}

{
    in_define = /^#define / || in_define && last ~ /\\$/
    if (/^#define / && !fresh)
        printf "%s", comment
    if (!in_define)
        comment = ""
    fresh = 0
    last = $0
    print
}
