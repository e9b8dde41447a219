/**
 * \file
 * Memory with a name, which processes that are not related share, Python ones among them: blocks
 * of bytes, and lists of fixed length.
 *
 * Names, sizes and layout are those of multiprocessing.shared_memory: either side attaches to what
 * the other made. The name is given without the slash that shm_open wants.
 *
 * WHO REMOVES IT. A block lives until somebody unlinks its name, and then until the last process
 * that has it open closes it. One that was created is also noted with the tracker, a small process
 * of its own session which is started with the first such block: when every process of the tree
 * that created it has ended, however it ended, the tracker unlinks what none of them has. So
 * kill -9 of them all leaks nothing. Attaching notes nothing (Python's up to 3.12 does, and unlinks
 * other programs' blocks at its exit; see track=False there).
 *
 * The calls may be made from any thread; two threads must not close or destroy one object at the
 * same time. A forked child inherits the object with its mapping, and its destroy closes only the
 * child's. Besides what its comment names, every call answers MP_EINVAL (ValueError) for NULL where
 * it needs something, MP_ETYPE (TypeError) for what is no such object, MP_ECLOSED (ValueError)
 * after close, and -errno (OSError) for what the system refuses.
 */
#ifndef MP_SHARED_MEMORY_H
#define MP_SHARED_MEMORY_H

#include "object.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * A named block of shared memory, mirroring Python's SharedMemory.
 *
 *     mp_shared_memory *block;
 *     MP_CHECK(mp_shared_memory_create(&block, NULL, 4096)); // SharedMemory(None, True, 4096)
 *     strcpy(mp_shared_memory_buf(block), "hello");
 *     printf("%s\n", mp_shared_memory_name(block));  // Python: SharedMemory(name).buf[:5]
 *     MP_CHECK(mp_shared_memory_unlink(block));
 *     mp_shared_memory_destroy(block);
 */
typedef struct mp_shared_memory mp_shared_memory;

/**
 * A list of fixed length in a named block, mirroring Python's ShareableList: None, bool, int,
 * float, str and bytes.
 *
 *     mp_shareable_list *list;
 *     MP_CHECK(mp_shareable_list_create(&list, MP_LIST("a", 1, 2.5), NULL));
 *     MP_CHECK(mp_shareable_list_set(list, 1, MP(7)));       // list[1] = 7
 *
 * A slot keeps the room that it was made with: 8 bytes for a number, for a str or bytes its length
 * rounded up to the next multiple of 8 above it. Nothing locks it: who writes while others read
 * brings a lock. NULs at the end of a str or bytes are lost, as in Python. KILL -9 inside a set can
 * leave a slot with the bytes of one value and the type of the other.
 */
typedef struct mp_shareable_list mp_shareable_list;

MP_BEGIN_DECLS

/**
 * Create a block, filled with zeros.
 * Python: SharedMemory(name, create=True, size=size)
 * Does not wait. The caller owns *out. All of the memory is taken now: when there is too little,
 * that is an error here, never a signal later. It can be opened by this user alone (0600).
 * Returns 0; MP_EINVAL (ValueError) for a size of 0, and a name that is empty, too long or has a
 * slash inside; -EEXIST (FileExistsError); -ENOSPC, -ENOMEM, -EMFILE, ... (OSError).
 * \param name NULL: a new one, "psm_" and eight hexadecimal digits
 * \param size in bytes
 */
MP_API int mp_shared_memory_create(mp_shared_memory **out, const char *name, size_t size);

/**
 * Attach to a block that somebody created.
 * Python: SharedMemory(name, track=False)
 * Does not wait. The caller owns *out.
 * Returns 0; MP_EINVAL (ValueError) for a name as above, and for a block of no bytes; -ENOENT
 * (FileNotFoundError); -EACCES, -EMFILE, ... (OSError); -ENOMEM.
 */
MP_API int mp_shared_memory_attach(mp_shared_memory **out, const char *name);

/**
 * Give the block's memory.
 * Python: SharedMemory.buf
 * Valid until close. Readable and writable, aligned to a page. NULL after close.
 */
MP_API void *mp_shared_memory_buf(mp_shared_memory *memory);

/** Give the name. Python: SharedMemory.name. Valid until destroy; NULL for what is no block. */
MP_API const char *mp_shared_memory_name(mp_shared_memory *memory);

/** Give the size in bytes. Python: SharedMemory.size. It stays after close; 0 for no block. */
MP_API size_t mp_shared_memory_size(mp_shared_memory *memory);

/**
 * Give up this process's mapping; pointers into it dangle from now on.
 * Python: SharedMemory.close()
 * Does not wait. Name and content stay for the others. Returns 0, the second time too.
 */
MP_API int mp_shared_memory_close(mp_shared_memory *memory);

/**
 * Remove the name: nobody attaches any more, and the memory goes when all have closed it.
 * Python: SharedMemory.unlink()
 * Does not wait. May come before or after close, from any process.
 * Returns 0; -ENOENT (FileNotFoundError) if the name is gone already.
 */
MP_API int mp_shared_memory_unlink(mp_shared_memory *memory);

/**
 * Say whether the tracker is to unlink the block when all processes of this tree have ended.
 * Python: SharedMemory(..., track=True or False)
 * Does not wait. On for what was created, off for what was attached. May come after close.
 * Returns 0; -ENOENT (FileNotFoundError) if this object was unlinked; -EMFILE, -EAGAIN, ...
 * (OSError) if the tracker cannot be started.
 */
MP_API int mp_shared_memory_track(mp_shared_memory *memory, bool track);

/**
 * Close the block if it is open, and give the object back; the name stays. NULL is fine.
 * Python: the last reference goes
 */
MP_API void mp_shared_memory_destroy(mp_shared_memory *memory);

/**
 * Create a list of these items.
 * Python: ShareableList(sequence, name=name)
 * As mp_shared_memory_create. The caller owns *out.
 * Returns 0; MP_ETYPE (TypeError) for an item of another type and for `items` that are neither list
 * nor tuple; MP_EOVERFLOW; otherwise as mp_shared_memory_create.
 * \param items a list or tuple
 * \param name NULL: a new one
 */
MP_API int mp_shareable_list_create(mp_shareable_list **out, mp_obj items, const char *name);

/**
 * Attach to a list that somebody created.
 * Python: ShareableList(name=name)
 * Whatever the block holds, nothing outside it is read: MP_EPICKLE (UnpicklingError) for one that
 * holds no list. Otherwise as mp_shared_memory_attach.
 */
MP_API int mp_shareable_list_attach(mp_shareable_list **out, const char *name);

/**
 * Give a copy of an item.
 * Python: list[i]
 * Does not wait. The caller owns *value.
 * Returns 0; MP_EINDEX (IndexError); MP_EPICKLE if another process wrote nonsense there; -ENOMEM.
 */
MP_API int mp_shareable_list_get(mp_shareable_list *list, size_t i, mp_obj *value);

/**
 * Replace an item, by one of another type too.
 * Python: list[i] = value
 * Does not wait.
 * Returns 0; MP_EINDEX (IndexError); MP_EOVERFLOW (ValueError: exceeds available storage) for a
 * str or bytes longer than the slot; MP_ETYPE (TypeError); the item is as it was then.
 */
MP_API int mp_shareable_list_set(mp_shareable_list *list, size_t i, mp_obj value);

/** Count the items. Python: len(list). Returns the number or a code; INT_MAX for more. */
MP_API int mp_shareable_list_len(mp_shareable_list *list);

/**
 * Find the first item that is equal.
 * Python: list.index(value)
 * Returns its place; MP_EINVAL (ValueError) if there is none. Does not wait.
 */
MP_API int mp_shareable_list_index(mp_shareable_list *list, mp_obj value);

/** Count the items that are equal. Python: list.count(value). Returns the number. */
MP_API int mp_shareable_list_count(mp_shareable_list *list, mp_obj value);

/** Give the name of its block. Python: list.shm.name. As mp_shared_memory_name. */
MP_API const char *mp_shareable_list_name(mp_shareable_list *list);

/**
 * Give its block, for all that is not here.
 * Python: list.shm
 * The list's, valid until its destroy. NULL for what is no list.
 */
MP_API mp_shared_memory *mp_shareable_list_memory(mp_shareable_list *list);

/** Close its block, as mp_shared_memory_close. Python: list.shm.close() */
MP_API int mp_shareable_list_close(mp_shareable_list *list);

/** Remove the name of its block, as mp_shared_memory_unlink. Python: list.shm.unlink() */
MP_API int mp_shareable_list_unlink(mp_shareable_list *list);

/** Give the list back, as mp_shared_memory_destroy. Python: the last reference goes. */
MP_API void mp_shareable_list_destroy(mp_shareable_list *list);

MP_END_DECLS

#endif
