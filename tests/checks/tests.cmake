# Checks that every registered test has a time limit and a label.
cmake_minimum_required(VERSION 3.21)

execute_process(COMMAND ${CTEST} --show-only=json-v1 -C "${CONFIG}" WORKING_DIRECTORY ${BUILD_DIR}
                OUTPUT_VARIABLE json COMMAND_ERROR_IS_FATAL ANY)
string(JSON count LENGTH "${json}" tests)
math(EXPR last "${count} - 1")
include(${CMAKE_CURRENT_LIST_DIR}/complaints.cmake)
foreach(i RANGE ${last})
    string(JSON test GET "${json}" tests ${i})
    string(JSON name GET "${test}" name)
    foreach(property IN ITEMS TIMEOUT LABELS)
        if(NOT test MATCHES "\"name\" : \"${property}\"")
            complain("${name} has no ${property}")
        endif()
    endforeach()
endforeach()
complaints_tell()
message(STATUS "${count} tests have a time limit and a label")
