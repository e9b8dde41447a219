/* libFuzzer's target for what the clients of a manager send once they have proven the key. */
#include "managers/feed.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Messages one after the other: which client, a size of two bytes, and so many bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct feed *feed = feed_open();
    while (n >= 3) {
        size_t size = (size_t)bytes[1] << 8 | bytes[2];
        unsigned client = bytes[0];
        bytes += 3;
        n -= 3;
        size = size < n ? size : n;
        if (client & 128)
            feed_bytes(feed, client, bytes, size);
        else
            feed_message(feed, client, bytes, size);
        bytes += size;
        n -= size;
    }
    feed_close(feed);
    return 0;
}
