/* A message of more than 2 GiB, which has the long form of the head. */
#include "support/support.h"

#include <mp/connection.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_SIZE (((size_t)1 << 31) + 12345)

/* Pages of zeros that cost nothing, but for a mark here and there. */
static int send_huge(void *arg)
{
    mp_connection *c = arg;
    unsigned char *p = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(p != MAP_FAILED);
    for (size_t i = 0; i < HUGE_SIZE; i += (size_t)64 << 20)
        p[i] = (unsigned char)(1 + (i >> 26));
    p[HUGE_SIZE - 1] = 0xee;
    assert_mp_result(mp_connection_send_bytes(c, p, HUGE_SIZE), 0);
    assert_mp_result(mp_connection_send_bytes(c, "after", 5), 0);
    return 0;
}

static void test_a_message_of_more_than_two_gib_arrives_whole(void **state)
{
    (void)state;
    mp_connection *a, *b;
    unsigned char *got;
    char text[8];
    size_t n;
    support_time_limit(300);
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    pid_t pid = child_fork(send_huge, b);
    mp_connection_destroy(b);
    assert_mp_result(mp_connection_recv_bytes(a, (void **)&got, &n), 0);
    check(n == HUGE_SIZE && got[HUGE_SIZE - 1] == 0xee && got[HUGE_SIZE] == '\0');
    for (size_t i = 0; i < HUGE_SIZE; i += (size_t)64 << 20)
        check(got[i] == (unsigned char)(1 + (i >> 26)) && got[i + 1] == 0);
    free(got);
    assert_mp_result(mp_connection_recv_bytes_into(a, text, sizeof text, &n), 0);
    check(n == 5 && memcmp(text, "after", 5) == 0);
    check(child_wait(pid) == 0);
    mp_connection_destroy(a);
}

static bool has_memory(void)
{
    unsigned long long free_kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %llu", &free_kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return free_kib > (UINT64_C(5) << 20) / 2;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Frames: a message of more than 2 GiB arrives whole",
                     test_a_message_of_more_than_two_gib_arrives_whole),
    };
    if (sizeof(size_t) < 8 || !has_memory()) {
        puts("skipped: a message of 2 GiB needs 64 bits and 2.5 GiB of memory");
        return SUPPORT_SKIPPED;
    }
    return support_run("Huge", tests);
}
