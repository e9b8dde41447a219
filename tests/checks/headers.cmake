# Checks each header in INCLUDE_DIR/mp: alone, twice, as C11 and C23 by CC and as C++17 and C++20
# by CXX, without a warning and without a -D; and that mp.h leaves none out.
cmake_minimum_required(VERSION 3.21)

file(GLOB headers RELATIVE ${INCLUDE_DIR} ${INCLUDE_DIR}/mp/*.h)
if(NOT headers)
    message(FATAL_ERROR "no headers in ${INCLUDE_DIR}/mp")
endif()
file(STRINGS ${INCLUDE_DIR}/mp/mp.h umbrella REGEX "^#include")

set(warnings -Wall -Wextra -Wpedantic -pedantic-errors -Wshadow -Wconversion -Werror)
set(c ${CC} ${warnings} -Wstrict-prototypes)
set(cxx ${CXX} ${warnings})
set(complaints "")

function(compile_twice header language extension)
    string(MAKE_C_IDENTIFIER "${header}" name)
    set(source ${WORK_DIR}/${name}.${extension})
    file(WRITE ${source} "#include <${header}>\n#include <${header}>\n"
                         "extern int not_empty;\n")
    execute_process(COMMAND ${ARGN} -fsyntax-only -I${INCLUDE_DIR} ${source}
                    RESULT_VARIABLE result ERROR_VARIABLE errors)
    if(NOT result EQUAL 0)
        set(complaints "${complaints}\n${header} as ${language}:\n${errors}" PARENT_SCOPE)
    endif()
endfunction()

foreach(header IN LISTS headers)
    compile_twice(${header} C11 c ${c} -std=c11)
    compile_twice(${header} C23 c ${c} -std=c2x)
    if(CXX)
        compile_twice(${header} C++17 cpp ${cxx} -std=c++17)
        compile_twice(${header} C++20 cpp ${cxx} -std=c++20)
    endif()
    cmake_path(GET header FILENAME name)
    if(NOT name STREQUAL "mp.h" AND NOT "${umbrella}" MATCHES "[\"</]${name}[\">]")
        string(APPEND complaints "\nmp/mp.h leaves out ${header}")
    endif()
endforeach()

if(complaints)
    message(FATAL_ERROR "${complaints}")
endif()
list(LENGTH headers count)
message(STATUS "${count} headers stand alone")
