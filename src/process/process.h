/* The process object and the registry of this process's children, for the files of this folder. */
#ifndef MP__PROCESS_H
#define MP__PROCESS_H

#include "memory/memory.h"
#include "platform/platform.h"

#include <mp/process.h>
#include <mp/timeout.h>

#define MP__PROCESS_MAGIC UINT32_C(0x4d505052)
#define MP__NAME_MAX 255
#define MP__KEY_SIZE 32

/* The life of a child in the process that created it. */
enum mp__life { MP__INITIAL, MP__RUNNING, MP__ENDED, MP__CLOSED };

/* Private to each process: a fork copies it, and the copy is no longer the creator's. All fields
   below the name are guarded by the registry's lock once the child has been started. */
struct mp_process {
    uint32_t magic;
    const char *type_name; /* as Python's repr names the class */
    char name[MP__NAME_MAX + 1];
    char lineage[64]; /* "1:2": second child of the first child of the first */
    bool daemonic;
    bool told_to_end; /* at the exit of this process */
    mp_target *target;
    void *arg;
    bool arg_is_copy;
    unsigned char *authkey; /* own_key, or allocated */
    size_t authkey_size;
    unsigned char own_key[MP__KEY_SIZE];
    pid_t creator; /* 0: the first process, which nobody created */
    _Atomic(enum mp__life) life;
    mp__owner owner; /* its slot, while it runs */
    struct mp__child child;
    int exit_code;
    int references;     /* the caller's, and the registry's while it runs */
    mp_process *next;   /* in the registry */
    mp_process *parent; /* inside the child: its parent; NULL in the first process */
    unsigned how;       /* of enum mp__start */
    pid_t before;       /* of a parent: who is the child's until it ends, itself or a supervisor */
};

/* What a forked child must not inherit; it lies in the page that forks wipe. */
struct mp__registry {
    mp_process *children; /* started and not reaped, oldest first */
    unsigned created;     /* for names */
    bool exit_registered;
    struct mp__crew *crews; /* of the layer of pools: those made here and not destroyed */
};

struct mp__registry *mp__registry_lock(void);
void mp__registry_unlock(void);

/* What a call wants, to be allowed or not by where the object stands (process.c). */
enum mp__process_call {
    MP__CALL_START,
    MP__CALL_JOIN,
    MP__CALL_ALIVE,
    MP__CALL_SIGNAL,
    MP__CALL_EXITCODE,
    MP__CALL_CLOSE,
    MP__CALL_SENTINEL,
    MP__CALL_DAEMON,
    MP__CALL_KEY,
    MP__CALL_NAME,
    MP__CALLS
};
int mp__process_verdict(const mp_process *p, enum mp__process_call call);

extern mp_process *mp__process_current;

/* Processes of the library's own, for the layers above. */
enum mp__start {
    MP__START_HIDDEN = 1, /* no child of the program's: mp_active_children does not know it */
    MP__START_MASKED = 2, /* its target begins with all signals blocked */
    MP__START_BOUND = 4,  /* it is killed with its parent, which has one thread */
};
/* A process that takes no number and has its creator's lineage. `arg` is not copied. */
int mp__process_make(mp_process **out, mp_target *target, void *arg, const char *name);
/* `owner` (may be NULL) gets who it will be before there is such a process. */
int mp__process_start(mp_process *p, unsigned how, _Atomic mp__owner *owner);
int mp__process_join(mp_process *p, mp__moment until); /* a child of this process; 0, MP_ETIMEOUT */
int mp__process_signal(mp_process *p, int signal_number);
/* In a MASKED process: the mask it was forked with. */
const sigset_t *mp__process_mask(void);

/* Before the children of a process are joined at its exit: ends the servers of its managers, ends
   or finishes its pools. NULL: it never had any. */
extern void (*mp__managers_finish)(void), (*mp__crews_finish)(void);
/* Around the fork of a child that is the program's, for the references to managed objects that it
   is to have: before it, under the registry's lock; after it; in the child, before its target.
   NULL: there are none. */
struct mp__fork_hooks {
    void (*before)(void), (*after)(void), (*inside)(void);
};
extern const struct mp__fork_hooks *mp__fork_hooks;

void mp__process_release(mp_process *p); /* drops a reference; under the lock */
int mp__authkey_inherit(mp_process *p);

/* Children found killed, who may have left something half done: noted under the lock, buried
   without it, for that waits for the heap. Of more than these, sleepers take note by themselves. */
#define MP__KILLED_MAX 64
struct mp__killed {
    unsigned count;
    mp__owner owners[MP__KILLED_MAX];
};

/* reap.c */
int mp__process_sentinel(mp_process *p);  /* a descriptor or a code; without the lock */
int mp__process_has_ended(mp_process *p); /* 1, 0 or a code; without the lock */
void mp__children_reap(struct mp__registry *registry, struct mp__killed *killed);
void mp__killed_bury(const struct mp__killed *killed); /* without the lock */
void mp__process_wait_register(void);                  /* process_wait.c */
/* Terminates the daemonic children, then joins all. */
void mp__children_finish(void);

#endif
