# Where a build of Debian's packages starts from. They come out in the build directory, and have in
# them what the target docs has made before:
#   cmake -C src/debian/settings.cmake -S . -B build-deb
#   cmake --build build-deb --target docs
#   cmake --build build-deb --target package
set(LIBMP_DEBIAN ON CACHE BOOL "Make packages for Debian")
set(BUILD_SHARED_LIBS ON CACHE BOOL "The runtime package is that of a shared library")
set(LIBMP_BUILD_TESTS OFF CACHE BOOL "No package holds them")
set(LIBMP_BUILD_EXAMPLES OFF CACHE BOOL "No package holds them")
set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Debian's, and with it the directory of its architecture")
set(CMAKE_INSTALL_DOCDIR share/doc/libmp-dev CACHE PATH "The reference is libmp-dev's")
set(CMAKE_BUILD_TYPE None CACHE STRING "All flags are Debian's")

# No -g, since there is no package for what strip would take off; no -flto, since programs that link
# the static library may be built by another compiler.
set(ENV{DEB_BUILD_MAINT_OPTIONS} "hardening=+bindnow optimize=-lto")
set(ENV{DEB_CFLAGS_STRIP} -g)
foreach(flags IN ITEMS CPPFLAGS CFLAGS LDFLAGS)
    execute_process(COMMAND dpkg-buildflags --get ${flags} OUTPUT_VARIABLE ${flags}
                    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set(CMAKE_C_FLAGS "${CPPFLAGS} ${CFLAGS}" CACHE STRING "As dpkg-buildflags says")
set(CMAKE_SHARED_LINKER_FLAGS "${LDFLAGS}" CACHE STRING "As dpkg-buildflags says")
