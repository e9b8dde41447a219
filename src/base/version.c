/* The version of the library that is linked, as against the header that was compiled. */
#include <mp/util.h>
#include <mp/version.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *mp_version(void)
{
    return TEXT(MP_VERSION_MAJOR) "." TEXT(MP_VERSION_MINOR) "." TEXT(MP_VERSION_PATCH);
}
