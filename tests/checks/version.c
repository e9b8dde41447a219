/* Compares the version of the linked library with its headers and with the build's. */
#include <mp/mp.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    char header[32];
    snprintf(header, sizeof header, "%d.%d.%d", MP_VERSION_MAJOR, MP_VERSION_MINOR,
             MP_VERSION_PATCH);
    printf("library %s, headers %s, build %s\n", mp_version(), header, EXPECTED_VERSION);
    return strcmp(mp_version(), header) != 0 || strcmp(header, EXPECTED_VERSION) != 0;
}
