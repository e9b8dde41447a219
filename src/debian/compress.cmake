# Compresses what Debian wants compressed, in the files about to be packed.
file(GLOB_RECURSE texts ${CPACK_TEMPORARY_DIRECTORY}/*/changelog.Debian
     ${CPACK_TEMPORARY_DIRECTORY}/*/man/man*/*.[0-9])
foreach(text IN LISTS texts)
    execute_process(COMMAND gzip -9nf ${text} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
