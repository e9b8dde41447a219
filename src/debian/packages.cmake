# Two packages for Debian: the shared library, under a name that changes with its ABI, and
# libmp-dev with all that programs are built from. Included by src in a build that started from
# settings.cmake.
set(libmp_runtime_package libmp${LIBMP_SOVERSION})
set(libmp_development_package libmp-dev)
set(contact "libmp contributors <libmp@example.org>")
set(revision 0libmp1) # older than 1, the first that Debian itself would make

libmp_library(mp_archive STATIC)
set_target_properties(mp_archive PROPERTIES OUTPUT_NAME mp)
install(TARGETS mp_archive)

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(debian/changelog.in changelog.Debian @ONLY)
foreach(part IN ITEMS libmp_runtime libmp_development)
    set(doc ${CMAKE_INSTALL_DATADIR}/doc/${${part}_package})
    install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${doc} COMPONENT ${part}
            RENAME copyright)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian DESTINATION ${doc} COMPONENT ${part})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL libmp_runtime libmp_development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/compress.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/pack_again.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${contact})
set(CPACK_DEBIAN_PACKAGE_RELEASE ${revision})
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own below

set(CPACK_DEBIAN_LIBMP_RUNTIME_PACKAGE_NAME ${libmp_runtime_package})
set(CPACK_DEBIAN_LIBMP_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBMP_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_LIBMP_RUNTIME_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/triggers)

set(CPACK_DEBIAN_LIBMP_DEVELOPMENT_PACKAGE_NAME ${libmp_development_package})
set(CPACK_DEBIAN_LIBMP_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBMP_DEVELOPMENT_PACKAGE_DEPENDS
    "${libmp_runtime_package} (= ${PROJECT_VERSION}-${revision})")

set(about "Processes with exit codes and names, locks and the other synchronization
objects, values in shared memory, pipes, queues, pools and managers, under the
names Python gives them. A process may be killed at any instant: what it held
is taken back, and the others go on. C and Python programs share managers,
connections and named memory.")
set(CPACK_DEBIAN_LIBMP_RUNTIME_DESCRIPTION "Python's multiprocessing for C
${about}")
set(CPACK_DEBIAN_LIBMP_DEVELOPMENT_DESCRIPTION "Python's multiprocessing for C, development files
${about}
.
This package holds the headers, the static library, and what pkg-config and
CMake need.")
include(CPack)
