# Compiles SOURCE as C++17 by CXX, with FLAGS, against LIBRARY, runs it, and checks that it prints the text of
# the file EXPECTED.
cmake_minimum_required(VERSION 3.21)

set(program ${WORK_DIR}/literals)
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
execute_process(COMMAND ${CXX} ${flags} -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
                        -I${INCLUDE_DIR} ${SOURCE} ${LIBRARY} -pthread -o ${program}
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${program} RESULT_VARIABLE result OUTPUT_VARIABLE output)
file(READ ${EXPECTED} expected)
if(NOT result EQUAL 0 OR NOT output STREQUAL expected)
    message(FATAL_ERROR "ended with ${result}, printed:\n${output}expected:\n${expected}")
endif()
