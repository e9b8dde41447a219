# What the scripts of this folder share: commands that have to succeed, and the consumer's output.

# The ABI may change with each minor version until 1.0.
string(REGEX REPLACE "^(0\\.[0-9]+|[0-9]+)\\..*" "\\1" SOVERSION ${VERSION})

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result
                    OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}: ${result}\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

# A test whose output has this line is skipped; the caller returns.
function(skip)
    string(CONCAT why ${ARGN})
    message(STATUS "SKIPPED: ${why}")
endfunction()

function(configure source build)
    # The objects of an earlier run may stay, its settings may not.
    file(REMOVE ${build}/CMakeCache.txt)
    run(${CMAKE_COMMAND} ${ARGN} -G ${GENERATOR} -S ${source} -B ${build} -DCMAKE_C_COMPILER=${CC})
endfunction()

function(configure_and_build source build)
    configure(${source} ${build} ${ARGN})
    run(${CMAKE_COMMAND} --build ${build})
endfunction()

# Runs the consumer, which has to need the shared library just where KIND is shared.
function(run_consumer program)
    run(${ARGN} ${program})
    if(NOT output STREQUAL "total 5, library ${VERSION}\n")
        message(FATAL_ERROR "the consumer printed: ${output}")
    endif()
    run(${READELF} --dynamic ${program})
    set(needs static)
    if(output MATCHES "\\(NEEDED\\)[^\n]*\\[libmp\\.so\\.${SOVERSION}\\]")
        set(needs shared)
    endif()
    if(NOT needs STREQUAL KIND)
        message(FATAL_ERROR "${program} uses the ${needs} library")
    endif()
endfunction()

# Compiles the consumer by what pkg-config tells of the libmp.pc in `directory`, and runs it.
function(run_pkg_config_consumer directory)
    set(ENV{PKG_CONFIG_PATH} ${directory})
    run(${PKG_CONFIG} --modversion libmp)
    if(NOT output STREQUAL "${VERSION}\n")
        message(FATAL_ERROR "libmp.pc is of version ${output}")
    endif()
    set(static)
    if(KIND STREQUAL "static")
        set(static --static)
    endif()
    run(${PKG_CONFIG} ${static} --cflags --libs libmp)
    separate_arguments(flags UNIX_COMMAND "${output}")
    file(MAKE_DIRECTORY ${here})
    run(${CC} -std=c11 ${consumer}/consumer.c -o ${here}/consumer ${flags})
    cmake_path(GET directory PARENT_PATH libraries)
    run_consumer(${here}/consumer ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${libraries})
endfunction()
