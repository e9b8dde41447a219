/* A library with one good symbol and four bad ones. */
#include "include/mp/symbols.h"

MP_API int mp__open(void);
MP_API int stray(void);
MP_API int mp_undeclared(void);
int hidden_stray(void);
int mp__shut(void);

int mp_somewhere(void)
{
    return 0;
}

int mp__open(void)
{
    return 0;
}

int stray(void)
{
    return 0;
}

int mp_undeclared(void)
{
    return 0;
}

int hidden_stray(void)
{
    return 0;
}

int mp__shut(void)
{
    return 0;
}
