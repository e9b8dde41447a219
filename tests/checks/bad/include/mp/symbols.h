/* Declares a function that is there and one that is not. */
#ifndef BAD_SYMBOLS_H
#define BAD_SYMBOLS_H
#define MP_API __attribute__((visibility("default")))
MP_API int mp_somewhere(void);
MP_API int mp_nowhere(void);
#endif
