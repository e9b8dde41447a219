/* Compiles with a warning. */
#ifndef BAD_WARNS_H
#define BAD_WARNS_H
static inline short bad_warns(long wide)
{
    return wide;
}
#endif
