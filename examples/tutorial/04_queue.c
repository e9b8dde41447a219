/* Pushes fruits into a queue and pops them again. The Python original:

# Importing Queue Class

from multiprocessing import Queue

fruits = [‘Apple’, ‘Orange’, ‘Guava’, ‘Papaya’, ‘Banana’]
count = 1
# creating a queue object
queue = Queue()
print(‘pushing items to the queue:’)
for fr in fruits:
print(‘item no: ‘, count, ‘ ‘, fr)
queue.put(fr)
count += 1

print(‘\npopping items from the queue:’)
count = 0
while not queue.empty():
print(‘item no: ‘, count, ‘ ‘, queue.get())
count += 1
*/

#include <mp/mp.h>
#include <stdio.h>

int main(void)
{
    static const char *const fruits[] = {"Apple", "Orange", "Guava", "Papaya", "Banana"};
    int count = 1;
    mp_queue *queue;

    MP_CHECK(mp_queue_create(&queue, 0));
    printf("pushing items to the queue:\n");
    for (int i = 0; i < 5; i++) {
        printf("item no:  %d   %s\n", count, fruits[i]);
        MP_CHECK(mp_queue_put(queue, MP(fruits[i]), MP_FOREVER));
        count++;
    }

    printf("\npopping items from the queue:\n");
    count = 0;
    while (!mp_queue_empty(queue)) {
        mp_obj fruit;
        MP_CHECK(mp_queue_get(queue, &fruit, MP_FOREVER));
        printf("item no:  %d   %s\n", count, fruit.s);
        mp_obj_free(&fruit);
        count++;
    }
    mp_queue_destroy(queue);
    return 0;
}
