/* Uses a type whose header it does not include. */
#ifndef BAD_NOT_ALONE_H
#define BAD_NOT_ALONE_H
pid_t bad_not_alone(void);
#endif
