# Cuts the C blocks of README.md and of the headers' comments into files of the folder `to`: a whole
# program into program_<n>.c, and the block without a language that follows it, which is what it
# prints, into program_<n>.txt; all others into blocks.c, each the body of a function. A function
# that a block defines, at its margin and static, stands before all of them. What README.md names of
# the build goes to names.txt.

function begin()
{
    block = ""
    first = FNR + 1
    inside = 1
}

function finish(    place, lines, n, i, function_here, statements)
{
    inside = 0
    place = "#line %d \"" FILENAME "\"\n"
    if (("\n" block) ~ /\nint main\(/) {
        program = to "/program_" ++programs
        printf place "%s", first, block > (program ".c")
        return
    }
    n = split(block, lines, "\n")
    for (i = 1; i < n; i++) {
        if (lines[i] ~ /^static /) {
            function_here = 1
            functions = functions sprintf(place, first + i - 1)
        }
        if (function_here)
            functions = functions lines[i] "\n"
        statements = statements (function_here ? "" : lines[i]) "\n"
        if (lines[i] ~ /^}/ || lines[i] ~ /^static .*[;}]$/)
            function_here = 0
    }
    bodies = bodies "static void block_" ++blocks "(void)\n{\n"
    bodies = bodies sprintf(place, first) statements "}\n"
}

function names(kind, pattern, skipped,    line, name)
{
    line = $0
    while (match(line, pattern)) {
        name = substr(line, RSTART + skipped, RLENGTH - skipped)
        print FILENAME ":" FNR, kind, name > (to "/names.txt")
        line = substr(line, RSTART + RLENGTH)
    }
}

FILENAME ~ /\.md$/ {
    names("built", "\\./build/[A-Za-z0-9_./-]*[A-Za-z0-9_]", 8)
    names("target", "--target [a-z_]+", 9)
    names("option", "-D[A-Z_]+", 2)
    names("option", "^\\| `(BUILD|LIBMP)_[A-Z_]+", 3)
    if (/^```c$/) {
        begin()
    } else if (/^```$/ && inside) {
        finish()
    } else if (/^```$/ && program != "" && !printed) {
        printed = program ".txt"
        printf "" > printed
    } else if (/^```/) {
        program = printed = ""
    } else if (printed) {
        print > printed
    } else if (inside) {
        block = block $0 "\n"
    }
    next
}

# A block of a comment stands four deep after an empty line, as in Markdown.
/^\/\*\*$/ {
    commented = 1
}
commented && !inside && / \*     / && last == " *" {
    begin()
    first = FNR
}
commented && inside && !/^ \*(     .*)?$/ {
    finish()
}
commented && inside {
    block = block substr($0, 8) "\n"
}
/^ \*\/$/ {
    commented = 0
}
{
    last = $0
}

END {
    printf "%s", "#include \"blocks.h\"\n" functions bodies > (to "/blocks.c")
    print blocks " blocks and " programs " programs"
}
