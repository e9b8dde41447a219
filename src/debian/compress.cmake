# Compresses what Debian wants compressed, in the files about to be packed.
file(GLOB texts ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/doc/*/changelog.Debian
     ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/man/man*/*)
foreach(text IN LISTS texts)
    execute_process(COMMAND gzip -9n ${text} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
