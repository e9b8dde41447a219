# Makes the reference of SOURCE_DIR in WORK_DIR, without a warning, and installs it: nothing before
# it was made, then HTML and a man page for each name, found by MAN, or by their file names.
cmake_minimum_required(VERSION 3.21)

file(REMOVE_RECURSE ${WORK_DIR})
function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
                    ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "ended with ${result}: ${ARGN}\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()
function(install_to prefix)
    run(${CMAKE_COMMAND} -DCMAKE_INSTALL_PREFIX=${prefix}
        -P ${WORK_DIR}/build/src/docs/cmake_install.cmake)
endfunction()

# Each version of Doxygen has warnings of its own.
run(${DOXYGEN} --version)
string(COMPARE EQUAL "${output}" "1.9.4\n" werror)
run(${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${WORK_DIR}/build -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC}
    -DLIBMP_BUILD_TESTS=OFF -DLIBMP_BUILD_EXAMPLES=OFF -DLIBMP_WERROR=${werror}
    -DCMAKE_INSTALL_MANDIR=man -DCMAKE_INSTALL_DOCDIR=doc)
install_to(${WORK_DIR}/before)
if(EXISTS ${WORK_DIR}/before)
    message(FATAL_ERROR "installed before it was made: ${output}")
endif()
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build --target docs)
install_to(${WORK_DIR}/after)

set(man3 ${WORK_DIR}/after/man/man3)
foreach(name IN ITEMS libmp mp_queues.h mp_queue mp_queue_put mp_map_options mp_target MP_EFULL
                      MP_WITH_RLOCK MP)
    if(NOT EXISTS ${man3}/${name}.3)
        message(FATAL_ERROR "no page ${man3}/${name}.3")
    endif()
endforeach()
file(GLOB strangers RELATIVE ${man3} ${man3}/*)
list(FILTER strangers EXCLUDE REGEX "^(libmp|MP|mp_[a-z0-9_.]+[a-z0-9]|MP_[A-Z0-9_]*[A-Z0-9])\\.3$")
if(strangers)
    message(FATAL_ERROR "pages of names that are not public: ${strangers}")
endif()

set(page ${man3}/mp_queue_put.3)
if(MAN)
    run(${MAN} -M ${WORK_DIR}/after/man -w mp_queue_put)
    if(NOT output STREQUAL "${page}\n")
        message(FATAL_ERROR "found ${output}not ${page}")
    endif()
    set(ENV{MANWIDTH} 200)
    set(ENV{MANPAGER} cat)
    run(${MAN} -M ${WORK_DIR}/after/man mp_queue_put)
else()
    file(READ ${page} output)
endif()
string(ASCII 8 backspace) # by which a terminal prints bold
string(REGEX REPLACE "\\\\f[A-Z]|.${backspace}" "" output "${output}")
foreach(text IN ITEMS "int mp_queue_put(mp_queue *queue, mp_obj object, double timeout);"
                      "Put an object, as a pickle" "MP_EFULL (queue" "libmp ${VERSION}")
    string(FIND "${output}" "${text}" at)
    if(at EQUAL -1)
        message(FATAL_ERROR "no \"${text}\" in ${page}:\n${output}")
    endif()
endforeach()
file(READ ${WORK_DIR}/after/doc/html/index.html html)
if(NOT html MATCHES "${VERSION}")
    message(FATAL_ERROR "no ${VERSION} in ${WORK_DIR}/after/doc/html/index.html")
endif()
file(GLOB pages ${man3}/*)
list(LENGTH pages count)
message(STATUS "${count} man pages, and HTML")
