/* Sums the integers that a Python process left in shared memory. The Python process:

import sys
from array import array
from multiprocessing import resource_tracker, shared_memory

count = int(sys.argv[1])
block = shared_memory.SharedMemory(create=True, size=8 * count)
numbers = block.buf[:8 * count].cast("q")
numbers[:] = array("q", range(count))
numbers.release()
resource_tracker.unregister(block._name, "shared_memory")
print(block.name)

Only the name of the block is sent: the integers stay where Python wrote them. Unregistered, the
block is no longer Python's to remove; whoever is done with it unlinks it, and that is this program.
*/

#define _POSIX_C_SOURCE 200809L

#include <mp/mp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 1000000 };

static const char script[] = "import sys\n"
                             "from array import array\n"
                             "from multiprocessing import resource_tracker, shared_memory\n"
                             "count = int(sys.argv[1])\n"
                             "block = shared_memory.SharedMemory(create=True, size=8 * count)\n"
                             "numbers = block.buf[:8 * count].cast(\"q\")\n"
                             "numbers[:] = array(\"q\", range(count))\n"
                             "numbers.release()\n"
                             "resource_tracker.unregister(block._name, \"shared_memory\")\n"
                             "print(block.name)\n";

/* Runs the Python process to its end; it prints the name. */
static void make_block(char *name, int size)
{
    char command[sizeof script + 64];

    snprintf(command, sizeof command, "python3 -c '%s' %d", script, COUNT);
    FILE *python = popen(command, "r");
    if (python == NULL || fgets(name, size, python) == NULL || pclose(python) != 0) {
        fputs("there is no python3 with shared memory here\n", stderr);
        exit(1);
    }
    name[strcspn(name, "\n")] = '\0';
}

int main(void)
{
    char name[64];
    mp_shared_memory *block;
    int64_t sum = 0;

    make_block(name, sizeof name);
    MP_CHECK(mp_shared_memory_attach(&block, name));
    const int64_t *numbers = mp_shared_memory_buf(block);
    size_t count = mp_shared_memory_size(block) / sizeof *numbers;
    for (size_t i = 0; i < count; i++) {
        sum += numbers[i];
    }
    printf("%zu integers in %s: the sum is %" PRId64 "\n", count, name, sum);
    MP_CHECK(mp_shared_memory_unlink(block));
    mp_shared_memory_destroy(block);
    return sum == (int64_t)COUNT * (COUNT - 1) / 2 ? 0 : 1;
}
