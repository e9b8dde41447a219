/* The key by which processes of a tree know each other: made once, copied to what is created. */
#include "process/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int key_store(mp_process *p, const void *key, size_t n)
{
    unsigned char *room = n <= sizeof p->own_key ? p->own_key : malloc(n);
    if (room == NULL)
        return -ENOMEM;
    if (n > 0)
        memmove(room, key, n);
    if (p->authkey != p->own_key && p->authkey != room)
        free(p->authkey);
    p->authkey = room;
    p->authkey_size = n;
    return 0;
}

/* Under the registry's lock: the first process gets its key when somebody first needs it. */
static int key_ensure(mp_process *p)
{
    unsigned char key[MP__KEY_SIZE];
    if (p->authkey != NULL)
        return 0;
    int rc = mp__entropy(key, sizeof key);
    return rc != 0 ? rc : key_store(p, key, sizeof key);
}

int mp__authkey_inherit(mp_process *p)
{
    mp__registry_lock();
    int rc = key_ensure(mp__process_current);
    if (rc == 0)
        rc = key_store(p, mp__process_current->authkey, mp__process_current->authkey_size);
    mp__registry_unlock();
    return rc;
}

const void *mp_process_authkey(mp_process *p, size_t *n)
{
    int rc = mp__process_verdict(p, MP__CALL_KEY);
    if (rc == 0) {
        mp__registry_lock();
        rc = key_ensure(p);
        mp__registry_unlock();
    }
    if (rc != 0) {
        mp__fail(rc);
        return NULL;
    }
    if (n != NULL)
        *n = p->authkey_size;
    return p->authkey;
}

int mp_process_set_authkey(mp_process *p, const void *key, size_t n)
{
    int rc = mp__process_verdict(p, MP__CALL_KEY);
    if (rc == 0 && key == NULL && n > 0)
        rc = MP_EINVAL;
    if (rc == 0) {
        mp__registry_lock();
        rc = key_store(p, key, n);
        mp__registry_unlock();
    }
    return rc != 0 ? mp__fail(rc) : 0;
}
