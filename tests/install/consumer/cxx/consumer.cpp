// A user's program in C++: a child adds to a shared value under its lock.
#include <mp/mp.h>

#include <iostream>

static int add_three(void *arg)
{
    auto *total = static_cast<mp_value *>(arg);
    MP_WITH_VALUE(total) {
        MP_VALUE(int, total) += 3;
    }
    return 0;
}

int main()
{
    mp_value *total;
    mp_process *child;
    int two = 2;
    int code;

    MP_CHECK(mp_value_create(&total, 'i', &two));
    MP_CHECK(mp_process_create(&child, add_three, total, 0, nullptr));
    MP_CHECK(mp_process_start(child));
    MP_CHECK(mp_process_join(child, MP_FOREVER));
    if (MP_CHECK(mp_process_exitcode(child, &code)) != 1 || code != 0)
        return 1;
    std::cout << "total " << MP_VALUE(int, total) << ", library " << mp_version() << std::endl;
    mp_process_destroy(child);
    mp_value_destroy(total);
    return 0;
}
