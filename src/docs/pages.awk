# A man page for each name in the public headers, and one for each header, cut out of the pages
# that Doxygen writes for files and for structs. `to` is the folder they go to. Doxygen turns " into
# ', so comments.awk has written \001 in its place.

function begin(name, brief)
{
    page = to "/" name ".3"
    say(".TH \"" name "\" 3 \"\" \"libmp " version "\" \"libmp\"\n.ad l\n.nh")
    say(".SH NAME\n" name " \\- " brief)
}

function say(text)
{
    gsub(/\001/, "\\(dq", text)
    if (chapter != "" && match(text, /[A-Z][A-Z]+ above/)) # a section of the header's chapter
        sub(/ above/, " in " chapter, text)
    print text > page
}

function end(    i)
{
    if (page == "")
        return
    if (of_type) {
        say(".SH FUNCTIONS")
        for (i = 1; i <= members; i++)
            if (index(names[i], name "_") == 1 && declarations[names[i]] ~ /\(/)
                say(".TP\n" declarations[names[i]] "\n" briefs[names[i]])
        of_type = 0
    }
    say(".SH \"SEE ALSO\"\n" (chapter == "" ? others : "\\fBlibmp\\fP(3), " chapter))
    close(page)
    page = ""
}

# What is between the first and the last quote of a line.
function quoted(line)
{
    sub(/^[^"]*"/, "", line)
    sub(/ *"[^"]*$/, "", line)
    return line
}

# The name that a declaration declares.
function name_of(text,    words, n)
{
    gsub(/\\f[A-Z]|\\&/, "", text)
    if (sub(/^#define /, "", text))
        sub(/[( ].*/, "", text)
    sub(/[ {]*[({].*/, "", text)
    n = split(text, words, /[ *]+/)
    return words[n]
}

# The names of an enum's values have its page.
function alias_values(declaration, name,    values, n, alias)
{
    gsub(/\\f[A-Z]|.*\{ *| *\}.*/, "", declaration)
    for (n = split(declaration, values, /, */); n > 0; n--) {
        alias = to "/" values[n] ".3"
        print ".so man3/" name ".3" > alias
        close(alias)
    }
}

BEGIN {
    for (i = 1; i < ARGC; i++)
        if (ARGV[i] ~ /\.h\.3$/ && ARGV[i] != "mp.h.3") {
            others = others (others == "" ? "" : ", ")
            others = others "\\fBmp_" substr(ARGV[i], 1, length(ARGV[i]) - 2) "\\fP(3)"
        }
}

FNR == 1 {
    end()
    title = FILENAME
    sub(/\.3$/, "", title)
    of_header = title ~ /\.h$/
    header = of_header ? title : ""
    chapter = ""
    members = as_it_is = 0
    next
}

/^\.SS/ || /^\.RI/ && last !~ /^\.br/ { # declarations
    gsub(/  +/, " ")
    gsub(/\* /, "*")
    gsub(/\( /, "(")
}

/^\.SH NAME/ {
    getline
    sub(/^[^ ]* \\- /, "")
    begin(title == "mp.h" ? "libmp" : of_header ? "mp_" title : title, $0)
    next
}

/^\.SH SYNOPSIS/ && of_header {
    $0 = $0 "\n\\fB#include <mp/" header ">\\fP"
}

match($0, /^\\fC#include <mp\/[a-z_]*/) && !of_header {
    header = substr($0, 17, RLENGTH - 16) ".h"
    chapter = "\\fBmp_" header "\\fP(3)"
}

/^\.SH "(Author|Field Documentation)"/ {
    end()
}

# In the list at the head of a header's page: a declaration, and below it what it is.
/^\.RI/ && of_header && page != "" {
    if (last ~ /^\.br/) {
        briefs[names[members]] = quoted($0)
    } else {
        names[++members] = name_of(quoted($0))
        declarations[names[members]] = quoted($0)
    }
}

/^\.SH ".* Documentation"/ && of_header {
    end()
    chapter = "\\fBmp_" header "\\fP(3)"
    next
}

/^\.SS "/ && chapter != "" && of_header {
    end()
    declaration = quoted($0)
    name = name_of(declaration)
    of_type = declaration ~ /^typedef struct/
    if (declaration ~ /^enum/) {
        declaration = declarations[name]
        alias_values(declaration, name)
    }
    begin(name, briefs[name])
    sub(name " ?\\(", "\\fB" name "\\fP(", declaration)
    say(".SH SYNOPSIS\n\\fB#include <mp/" header ">\\fP\n.PP\n" declaration \
        (declaration ~ /^#/ ? "" : ";"))
    say(".SH DESCRIPTION")
    next
}

/^\.SH "Detailed Description"/ {
    $0 = ".SH DESCRIPTION"
}
/^\.nf/ {
    as_it_is = 1
    $0 = ".RS 4\n.nf"
}
/^\.fi/ {
    as_it_is = 0
    $0 = ".fi\n.RE"
}
page != "" {
    if (!as_it_is) {
        sub(/^ +/, "")
        sub(/ *\\fBPython:\\fP/, "\n.PP\n\\fBPython:\\fP")
    }
    say($0)
}
{
    last = $0
}
END {
    end()
}
