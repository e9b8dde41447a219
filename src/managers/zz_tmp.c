#include "managers/managed.h"
static const struct mp__method none[] = {{0}};
const struct mp__type
    mp__type_set = {.name = "set", .size = sizeof(struct mp__managed), .methods = none},
    mp__type_namespace = {.name = "Namespace", .size = sizeof(struct mp__managed), .methods = none},
    mp__type_value = {.name = "Value", .size = sizeof(struct mp__managed), .methods = none},
    mp__type_array = {.name = "Array", .size = sizeof(struct mp__managed), .methods = none};
