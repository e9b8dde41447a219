# Runs PROGRAM and checks that it ends well having printed exactly the text of the file EXPECTED.
cmake_minimum_required(VERSION 3.21)

execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE result OUTPUT_VARIABLE output)
file(READ ${EXPECTED} expected)
if(NOT result EQUAL 0 OR NOT output STREQUAL expected)
    message(FATAL_ERROR "ended with ${result}, printed:\n${output}expected:\n${expected}")
endif()
