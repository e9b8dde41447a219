# Where a build of Debian's packages starts from; they come out in the build directory:
#   cmake -C src/debian/settings.cmake -S . -B build-deb
#   cmake --build build-deb --target package
set(LIBMP_DEBIAN ON CACHE BOOL "Make packages for Debian")
set(BUILD_SHARED_LIBS ON CACHE BOOL "The runtime package is that of a shared library")
set(LIBMP_BUILD_TESTS OFF CACHE BOOL "No package holds them")
set(LIBMP_BUILD_EXAMPLES OFF CACHE BOOL "No package holds them")
set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Debian's, and with it the directory of its architecture")
set(CMAKE_BUILD_TYPE None CACHE STRING "All flags are Debian's")

# No -g, since there is no package for what strip would take off.
set(ENV{DEB_BUILD_MAINT_OPTIONS} hardening=+bindnow)
set(ENV{DEB_CFLAGS_STRIP} -g)
foreach(flags IN ITEMS CPPFLAGS CFLAGS LDFLAGS)
    execute_process(COMMAND dpkg-buildflags --get ${flags} OUTPUT_VARIABLE ${flags}
                    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set(CMAKE_C_FLAGS "${CPPFLAGS} ${CFLAGS}" CACHE STRING "As dpkg-buildflags says")
set(CMAKE_SHARED_LINKER_FLAGS "${LDFLAGS}" CACHE STRING "As dpkg-buildflags says")
