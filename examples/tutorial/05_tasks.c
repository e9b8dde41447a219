/* Hands tasks to three processes by one queue, and logs by another. The Python original:

from multiprocessing import Lock, Process, Queue, current_process
import time
import queue

def jobTodo(tasks_to_perform, complete_tasks):
while True:
try:

# The try block to catch task from the queue.
# The get_nowait() function is used to
# raise queue.Empty exception if the queue is empty.

task = tasks_to_perform.get_nowait()

except queue.Empty:

break
else:

# if no exception has been raised, the else block will execute
# add the task completion

print(task)
complete_tasks.put(task + ‘ is done by ‘ + current_process().name)
time.sleep(.5)
return True

def main():
total_task = 8
total_number_of_processes = 3
tasks_to_perform = Queue()
complete_tasks = Queue()
number_of_processes = []

for i in range(total_task):
tasks_to_perform.put(“Task no ” + str(i))

# defining number of processes
for w in range(total_number_of_processes):
p = Process(target=jobTodo, args=(tasks_to_perform, complete_tasks))
number_of_processes.append(p)
p.start()

# completing process
for p in number_of_processes:
p.join()

# print the output
while not complete_tasks.empty():
print(complete_tasks.get())

return True

if __name__ == ‘__main__’:
main()
*/

#include <mp/mp.h>
#include <stdio.h>

struct arguments {
    mp_queue *tasks_to_perform;
    mp_queue *complete_tasks;
};

static int job_to_do(void *arg)
{
    const struct arguments *a = arg;
    mp_obj task;
    mp_obj log;

    for (;;) {
        /* does not wait, but says MP_EEMPTY when there is nothing left */
        int rc = mp_queue_get_nowait(a->tasks_to_perform, &task);
        if (rc == MP_EEMPTY) {
            break;
        }
        MP_CHECK(rc);
        mp_obj_println(task, stdout);
        MP_CHECK(
            mp_obj_format(&log, "%s is done by %s", task.s, mp_process_name(mp_current_process())));
        MP_CHECK(mp_queue_put(a->complete_tasks, log, MP_FOREVER));
        mp_obj_free(&log);
        mp_obj_free(&task);
        mp_sleep(0.5);
    }
    return 0;
}

int main(void)
{
    const int total_task = 8;
    enum { TOTAL_NUMBER_OF_PROCESSES = 3 };
    struct arguments args;
    mp_process *number_of_processes[TOTAL_NUMBER_OF_PROCESSES];
    mp_obj text;

    MP_CHECK(mp_queue_create(&args.tasks_to_perform, 0));
    MP_CHECK(mp_queue_create(&args.complete_tasks, 0));
    for (int i = 0; i < total_task; i++) {
        MP_CHECK(mp_obj_format(&text, "Task no %d", i));
        MP_CHECK(mp_queue_put(args.tasks_to_perform, text, MP_FOREVER));
        mp_obj_free(&text);
    }

    for (int w = 0; w < TOTAL_NUMBER_OF_PROCESSES; w++) {
        mp_process **p = &number_of_processes[w];
        MP_CHECK(mp_process_create(p, job_to_do, &args, sizeof args, NULL));
        MP_CHECK(mp_process_start(*p));
    }
    for (int w = 0; w < TOTAL_NUMBER_OF_PROCESSES; w++) {
        MP_CHECK(mp_process_join(number_of_processes[w], MP_FOREVER));
        mp_process_destroy(number_of_processes[w]);
    }

    while (!mp_queue_empty(args.complete_tasks)) {
        MP_CHECK(mp_queue_get(args.complete_tasks, &text, MP_FOREVER));
        mp_obj_println(text, stdout);
        mp_obj_free(&text);
    }
    mp_queue_destroy(args.tasks_to_perform);
    mp_queue_destroy(args.complete_tasks);
    return 0;
}
