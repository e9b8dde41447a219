/**
 * \file
 * The version of these headers; mp_version() in util.h tells that of the library in use.
 */
#ifndef MP_VERSION_H
#define MP_VERSION_H

/** The parts of the version, as numbers. */
#define MP_VERSION_MAJOR 0
#define MP_VERSION_MINOR 1
#define MP_VERSION_PATCH 0

#endif
