/* What libmp's manager serves beside its own types when Pythons are its clients. */
#ifndef TESTS_INTEROP_MANAGER_TYPES_H
#define TESTS_INTEROP_MANAGER_TYPES_H

/* The types "Maths" and "get_total"; the tasks "square", "add", "fail" and "until_gone". */
void manager_types_register(void);

#endif
