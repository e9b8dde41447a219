/* The table of the examples: one row for each snippet, with what its program has to print. */
#include "judge.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define TURN(worker, value) \
    "Worker " worker " is accessing the resource\n" \
    "Worker " worker " has updated the resource to " value "\n"
#define TURNS(worker, tens, one) \
    TURN(worker, tens "1") TURN(worker, tens "2") TURN(worker, tens "3") TURN(worker, tens "4") \
    TURN(worker, tens "5") TURN(worker, tens "6") TURN(worker, tens "7") TURN(worker, tens "8") \
    TURN(worker, tens "9") TURN(worker, one "0")
/* clang-format on */
#define NUMBERS "0\n1\n2\n3\n4\n"
#define FUTURE(n) "worker_function(" n ") starting\nworker_function(" n ") finished\n"

static bool turns_are_whole(const struct output *output)
{
    int turns[2] = {0, 0};
    int first;
    int second;

    for (const char *line = output->text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (sscanf(line, "Worker %d is", &first) != 1) {
            return false;
        }
        line = strchr(line, '\n') + 1;
        if (sscanf(line, "Worker %d has", &second) != 1 || first != second) {
            return false;
        }
        turns[first]++;
    }
    return turns[0] == 10 && turns[1] == 10;
}

static bool children_differ(const struct output *output)
{
    const char *list = strchr(output->text, '[');
    int names[2];
    long pids[2];

    if (list == NULL || sscanf(list,
                               "[<Process name='Process-%d' pid=%ld parent=%*d started>, "
                               "<Process name='Process-%d' pid=%ld",
                               &names[0], &pids[0], &names[1], &pids[1]) != 4) {
        return false;
    }
    return names[0] != names[1] && pids[0] != pids[1] && pids[0] != (long)output->pid &&
           pids[1] != (long)output->pid;
}

static bool workers_differ(const struct output *output)
{
    long pids[2];

    return sscanf(output->text, "process %ld was killed while it counted long.txt, process %ld",
                  &pids[0], &pids[1]) == 2 &&
           pids[0] != pids[1] && pids[0] != (long)output->pid && pids[1] != (long)output->pid;
}

const struct example examples[] = {
    {
        .id = "module.01",
        .expected = "Worker process\n",
    },
    {
        .id = "module.02",
        .expected = "[1, 4, 9, 16]\n",
        .runs = 20,
    },
    {
        .id = "module.03",
        .expected = "Hello from worker\n",
    },
    {
        .id = "module.04",
        .expected = "Hello from worker\n",
        .runs = 20,
    },
    {
        .id = "module.05",
        .expected = "Counter: 5\n",
        .runs = 20,
    },
    {
        .id = "module.06",
        .rule = RULE_LINES,
        .expected = "Worker waiting for event\n"
                    "Main process setting event\n"
                    "Worker received event\n",
        .orders = {{"Worker waiting for event", "Worker received event", false},
                   {"Main process setting event", "Worker received event", false}},
        .runs = 20,
    },
    {
        .id = "module.07",
        .expected = "Counter: 5\n",
        .runs = 20,
    },
    {
        .id = "module.08",
        .expected = "Array: [5, 6, 7, 8, 9]\n",
        .runs = 50,
    },
    {
        .id = "module.09",
        .expected = "{1: '1', '2': 2, 0.25: None}\n"
                    "[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]\n",
        .runs = 20,
    },
    {
        .id = "module.10",
        .rule = RULE_LINES,
        .expected = "Worker: 0\n"
                    "Worker: 1\n"
                    "Worker: 2\n"
                    "Worker: 3\n"
                    "Worker: 4\n",
    },
    {
        .id = "module.11",
        .expected = "[1, 4, 9, 16, 25]\n",
        .runs = 20,
    },
    {
        .id = "module.12",
        .expected = "Hello from worker\n",
        .runs = 20,
    },
    {
        .id = "module.13",
        .expected = "Hello from worker\n",
        .runs = 20,
    },
    {
        .id = "module.14",
        .expected = "Counter: 5\n",
        .runs = 20,
    },
    {
        .id = "module.15",
        .expected = "Counter: 5\n"
                    "Array: [5, 6, 7, 8, 9]\n",
        .runs = 50,
    },
    {
        .id = "module.16",
        .arguments = {"http://127.0.0.1:@port", "http://127.0.0.1:@shut/",
                      "http://127.0.0.1:@port/missing", "https://127.0.0.1/",
                      "http://127.0.0.1:@port/page?q=1", "http://127.0.0.1:@port/noise", "http://",
                      "http://127.0.0.1:@port/silence"},
        .scene = &scene_web,
        .expected = "Fetched http://127.0.0.1:@port with status 200\n"
                    "Cannot fetch http://127.0.0.1:@shut/: Connection refused\n"
                    "Fetched http://127.0.0.1:@port/missing with status 404\n"
                    "Cannot fetch https://127.0.0.1/: not a URL that begins with http://\n"
                    "Fetched http://127.0.0.1:@port/page?q=1 with status 200\n"
                    "Cannot fetch http://127.0.0.1:@port/noise: no HTTP response\n"
                    "Cannot fetch http://: not a URL that begins with http://\n"
                    "Cannot fetch http://127.0.0.1:@port/silence: no HTTP response\n",
        .runs = 20,
    },
    {
        .id = "tutorial.01",
        .expected = "Hello !! Welcome to Python Tutorial\n",
    },
    {
        .id = "tutorial.02",
        .rule = RULE_LINES,
        .expected = "The Cube is: 125\n"
                    "The Square is: 25\n"
                    "Both processes are finished\n",
        .orders = {{"The Cube is: 125", "Both processes are finished", false},
                   {"The Square is: 25", "Both processes are finished", false}},
    },
    {
        .id = "tutorial.03",
        .expected = "The number of CPU currently working in system :  @cpus\n",
    },
    {
        .id = "tutorial.04",
        .expected = "pushing items to the queue:\n"
                    "item no:  1   Apple\n"
                    "item no:  2   Orange\n"
                    "item no:  3   Guava\n"
                    "item no:  4   Papaya\n"
                    "item no:  5   Banana\n"
                    "\n"
                    "popping items from the queue:\n"
                    "item no:  0   Apple\n"
                    "item no:  1   Orange\n"
                    "item no:  2   Guava\n"
                    "item no:  3   Papaya\n"
                    "item no:  4   Banana\n",
    },
    {
        .id = "tutorial.05",
        .rule = RULE_LINES,
        .expected = "Task no 0\nTask no 1\nTask no 2\nTask no 3\n"
                    "Task no 4\nTask no 5\nTask no 6\nTask no 7\n"
                    "Task no 0 is done by Process-@1-3\n"
                    "Task no 1 is done by Process-@1-3\n"
                    "Task no 2 is done by Process-@1-3\n"
                    "Task no 3 is done by Process-@1-3\n"
                    "Task no 4 is done by Process-@1-3\n"
                    "Task no 5 is done by Process-@1-3\n"
                    "Task no 6 is done by Process-@1-3\n"
                    "Task no 7 is done by Process-@1-3\n",
        .orders = {{"Task no @0-7", "Task no @0-7 is done by Process-@1-3", false}},
        .min_seconds = 1.5,
        .max_seconds = 3.9, /* one after the other they take 4 */
    },
    {
        .id = "tutorial.06",
        .rule = RULE_LINES,
        .expected = " Process name is V waiting time is 5 seconds\n"
                    " Process name is X waiting time is 2 seconds\n"
                    " Process name is Y waiting time is 1 seconds\n"
                    " Process name is Z waiting time is 3 seconds\n"
                    " Process V Executed.\n"
                    " Process X Executed.\n"
                    " Process Y Executed.\n"
                    " Process Z Executed.\n",
        .orders = {{" Process name is V waiting time is 5 seconds", " Process V Executed.", false},
                   {" Process name is X waiting time is 2 seconds", " Process X Executed.", false},
                   {" Process name is Y waiting time is 1 seconds", " Process Y Executed.", false},
                   {" Process name is Z waiting time is 3 seconds", " Process Z Executed.", false}},
        .min_seconds = 5.9,  /* more than two at once take 5 */
        .max_seconds = 10.9, /* one after the other they take 11 */
    },
    {
        .id = "tutorial.07",
        .expected = "[1, 4, 9]\n",
        .runs = 20,
    },
    {
        .id = "tutorial.08",
        .expected = "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]\n"
                    "<ListProxy object, typeid 'list' at 0x@hex>\n"
                    "16\n"
                    "[4, 9, 16]\n",
        .runs = 20,
    },
    {
        .id = "tutorial.09",
        .expected = "pipe(): the child sent hello\n"
                    "run(): the activity gave 7, in this process\n"
                    "start(): the child wrote 42\n"
                    "join(0.1): timed out: True; join(): exit code 0\n"
                    "is_alive(): True, after its end False\n"
                    "terminate(): exit code -15\n"
                    "kill(): exit code -9\n"
                    "close(): is_alive() now raises ValueError\n"
                    "qsize(): 3\n"
                    "empty(): True, with an item in it False\n"
                    "full(): False, with two items of two True\n"
                    "get_nowait(): raises queue.Empty\n"
                    "get(): the first of three items was 1\n"
                    "put(): items in the queue: 1\n"
                    "cpu_count(): @cpus\n"
                    "current_process(): MainProcess\n"
                    "parent_process(): MainProcess, pid @parent, seen by its child\n"
                    "task_done(): called for each of three tasks, so join() returned\n"
                    "join_thread(): after close(), 3 items can be read by others\n",
        .runs = 20,
    },
    {
        .id = "notebook.01",
        .rule = RULE_LINES,
        .expected = "Worker 0 started\n"
                    "Worker 1 started\n"
                    "Worker 2 started\n"
                    "Worker 3 started\n"
                    "Worker 4 started\n"
                    "Worker 0 finished\n"
                    "Worker 1 finished\n"
                    "Worker 2 finished\n"
                    "Worker 3 finished\n"
                    "Worker 4 finished\n",
        .orders = {{"Worker @0-4 started", "Worker @0-4 finished", false}},
        .min_seconds = 1.0,
    },
    {
        .id = "notebook.02",
        .expected = "[1, 4, 9, 16, 25]\n",
        .runs = 20,
    },
    {
        .id = "notebook.03",
        .expected = TURNS("@0-1", "", "1") TURNS("@0-1", "1", "2"),
        .also = turns_are_whole,
        .also_means = "each worker takes ten turns, both lines of a turn are of one worker",
        .sample = TURNS("0", "", "1") TURNS("1", "1", "2"),
        .min_seconds = 2.0,
    },
    {
        .id = "notebook.04",
        .rule = RULE_LINES,
        .expected = "Worker received message: hello\n"
                    "Parent received response: Processed: hello\n"
                    "Worker received message: world\n"
                    "Parent received response: Processed: world\n"
                    "Worker closing\n",
        .orders = {{"Worker received message: hello", "Worker received message: world", false},
                   {"Worker received message: hello", "Parent received response: Processed: hello",
                    false},
                   {"Worker received message: world", "Parent received response: Processed: world",
                    false},
                   {"Parent received response: Processed: hello", "Worker received message: world",
                    false},
                   {"Worker received message: world", "Worker closing", false}},
        .runs = 20,
    },
    {
        .id = "notebook.05",
        .rule = RULE_LINES,
        .expected = "Processed by worker @0-2: hello\n"
                    "Processed by worker @0-2: world\n"
                    "Worker 0 closing\n"
                    "Worker 1 closing\n"
                    "Worker 2 closing\n",
    },
    {
        .id = "notebook.06",
        .expected = "Result: 10\n"
                    "Result: 4\n"
                    "Result: 2\n"
                    "Result: 6\n",
        .runs = 20,
    },
    {
        .id = "notebook.07",
        .rule = RULE_LINES,
        .expected = FUTURE("5") FUTURE("2") FUTURE("1") FUTURE("3") "Result: 5\n"
                                                                    "Result: 2\n"
                                                                    "Result: 1\n"
                                                                    "Result: 3\n",
        .orders = {{"worker_function(5) starting", "worker_function(5) finished", false},
                   {"worker_function(2) starting", "worker_function(2) finished", false},
                   {"worker_function(1) starting", "worker_function(1) finished", false},
                   {"worker_function(3) starting", "worker_function(3) finished", false},
                   {"worker_function(@1-5) finished", "Result: @1-5", false},
                   {"Result: 5", "Result: 2", false},
                   {"Result: 2", "Result: 1", false},
                   {"Result: 1", "Result: 3", false}},
        .min_seconds = 5.0,
    },
    {
        .id = "basics.01",
        .rule = RULE_LINES,
        .expected = "Worker 0: Starting\n"
                    "Worker 1: Starting\n"
                    "Worker 2: Starting\n"
                    "Worker 0: Finishing\n"
                    "Worker 1: Finishing\n"
                    "Worker 2: Finishing\n"
                    "All workers finished.\n",
        .orders = {{"Worker 0: Starting", "Worker 0: Finishing", false},
                   {"Worker 1: Starting", "Worker 1: Finishing", false},
                   {"Worker 2: Starting", "Worker 2: Finishing", false},
                   {"Worker @0-2: Finishing", "All workers finished.", false}},
        .min_seconds = 2.0,
        .max_seconds = 5.9, /* one after the other they take 6 */
    },
    {
        .id = "quick_guide.01",
        .expected = NUMBERS,
    },
    {
        .id = "quick_guide.02",
        .expected = NUMBERS,
    },
    {
        .id = "quick_guide.03",
        .expected = NUMBERS,
    },
    {
        .id = "quick_guide.04",
        .rule = RULE_LINES,
        .expected = "True\n" NUMBERS,
        .orders = {{"0", "1", false}, {"1", "2", false}, {"2", "3", false}, {"3", "4", false}},
        .runs = 20,
    },
    {
        .id = "quick_guide.05",
        .expected = "<Process name='Process-1' parent=@parent started>\n",
    },
    {
        .id = "quick_guide.06",
        .rule = RULE_LINES,
        .expected =
            "[<Process name='Process-@1-2' pid=@pid parent=@parent started>, "
            "<Process name='Process-@1-2' pid=@pid parent=@parent started>]\n" NUMBERS NUMBERS,
        .orders = {{"0", "1", true}, {"1", "2", true}, {"2", "3", true}, {"3", "4", true}},
        .also = children_differ,
        .also_means = "the two listed are different children",
        .sample = "[<Process name='Process-2' pid=@pid parent=@parent started>, "
                  "<Process name='Process-1' pid=@pid parent=@parent started>]\n" NUMBERS NUMBERS,
        .runs = 20,
    },
    {
        .id = "quick_guide.07",
        .expected = "@cpus\n",
    },
    {
        .id = "quick_guide.08",
        .expected = "[1, 4, 9, 16, 25]\n",
        .runs = 20,
    },
    {
        .id = "quick_guide.09",
        .expected = "[1, 2, 3]\n",
        .runs = 20,
    },
    {
        .id = "quick_guide.10",
        .expected = NUMBERS NUMBERS,
        .runs = 20,
    },
    {
        .id = "quick_guide.11",
        .expected = "10\n",
        .runs = 20,
    },
    {
        .id = "quick_guide.12",
        .expected = "Hello from child\n",
        .runs = 20,
    },
    {
        .id = "quick_guide.13",
        .expected = "[1, 2, 3, 'New item']\n",
        .runs = 20,
    },
    {
        .id = "quick_guide.14",
        .expected = "Accessing resource\n"
                    "Accessing resource\n"
                    "Accessing resource\n"
                    "Accessing resource\n"
                    "Accessing resource\n",
        .min_seconds = 5.9,
        .max_seconds = 9.5, /* one after the other they take 10 */
        .at_once = 2,
        .turn_seconds = 2.0,
    },
    {
        .id = "beyond.01",
        .arguments = {"picture.pgm", "160", "120"},
        .scene = &scene_picture,
        .expected = "picture.pgm: 160 x 120\n",
        .runs = 20,
    },
    {
        .id = "beyond.02",
        .arguments = {"three.txt", "empty.txt", "long.txt", "missing.txt", "spaces.txt"},
        .scene = &scene_words,
        .expected = "process @pid was killed while it counted long.txt, "
                    "process @pid counted it again\n"
                    "       3 three.txt\n"
                    "       0 empty.txt\n"
                    "  100000 long.txt\n"
                    "       - missing.txt: No such file or directory\n"
                    "       4 spaces.txt\n"
                    "  100007 total\n",
        .also = workers_differ,
        .also_means = "the worker that was killed is not the one that counted again",
        .status = 1,
        .runs = 20,
    },
    {
        .id = "beyond.03",
        .expected = "1000000 integers in psm_@hex: the sum is 499999500000\n",
    },
    {
        .id = "beyond.04",
        .expected = "The producer's account is the same: "
                    "('account', 5050, 'bread cheese wine', 14.75)\n"
                    "105 items came through the queue\n",
        .may_skip = true,
        .runs = 5,
    },
};

const size_t example_count = sizeof examples / sizeof examples[0];
