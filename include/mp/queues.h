/**
 * \file
 * Queues that processes put messages into and get them out of.
 *
 * WHAT HOLDS FOR BOTH OF THEM. A queue stands at the same address in every process of the tree,
 * may be a member of a struct in mp_raw_alloc memory, and may be sent in a message as a handle. Any
 * thread of any of those processes may put and get at any time. A message is an object or bytes,
 * of any size; those of one producer come out in the order in which they went in. They stand in
 * shared memory, those longer than 8 KiB in a block of their own, until they are taken: no hidden
 * thread moves them, a process that ends has nothing left to send, and nobody has to read before
 * it may end. The memory of messages taken serves other objects.
 *
 * Besides what its comment names, every call answers MP_EINVAL (ValueError) for a NULL queue,
 * NULL where it needs something, and a NaN timeout, MP_ETYPE (TypeError) for an object of another
 * kind, MP_ECLOSED (ValueError) for a destroyed one, also when it is destroyed while the call
 * waits, MP_ENOSLOT (OSError) in a process that libmp has no room to follow. Functions that return
 * bool cannot say so. Timeouts: timeout.h; with MP_NOWAIT or less a call does not wait for
 * messages or room, and for another process that is inside at most some ten milliseconds; but a
 * put that needs memory waits as long as a process stopped (SIGSTOP) inside the allocator is
 * stopped, whatever its timeout. Waits go on after signals. None of this is for signal handlers.
 *
 * KILL -9. A caller killed inside any call leaves the queue usable: its message is in the queue
 * whole, or not at all; the message it was getting is in the queue, or gone with it. Nothing is
 * torn, doubled or reordered, and no message of another's is lost.
 *
 * CLOSE is for the calling process alone, and for children it forks afterwards: their puts and
 * gets on this queue answer MP_ECLOSED. DESTROY in the creating process, or in any once that has
 * ended, ends the queue for all, with the messages in it; elsewhere it only forgets. It does not
 * wait for those who sleep, and NULL is fine.
 */
#ifndef MP_QUEUES_H
#define MP_QUEUES_H

#include "errors.h"
#include "export.h"
#include "object.h"
#include "timeout.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * A queue with or without a limit, mirroring Python's Queue and JoinableQueue.
 * Each mp_queue counts what was put and what was reported done, as JoinableQueue does; who does
 * not join need not report. qsize, empty and full are exact everywhere, on every system.
 *
 *     mp_queue *queue;
 *     mp_obj message;
 *     MP_CHECK(mp_queue_create(&queue, 0));                           // queue = Queue()
 *     MP_CHECK(mp_queue_put(queue, MP_TUPLE("text", 5), MP_FOREVER)); // queue.put(("text", 5))
 *     MP_CHECK(mp_queue_get(queue, &message, MP_FOREVER)); // in another process: queue.get()
 *     mp_obj_free(&message);
 *     mp_queue_destroy(queue);
 */
typedef struct mp_queue mp_queue;

/**
 * A queue without limit and without timeouts, mirroring Python's SimpleQueue.
 * Its descriptor can be polled along with others. It belongs to the process that made the queue
 * and is inherited by children that are forked afterwards; a process that has the queue in another
 * way may put and get, but has no descriptor: what it puts and takes does not show on that of
 * others.
 *
 *     mp_simple_queue *queue;
 *     mp_obj message;
 *     MP_CHECK(mp_simple_queue_create(&queue));         // queue = SimpleQueue()
 *     MP_CHECK(mp_simple_queue_put(queue, MP("text"))); // queue.put("text")
 *     MP_CHECK(mp_simple_queue_get(queue, &message));   // in another process: queue.get()
 *     mp_obj_free(&message);
 *     mp_simple_queue_destroy(queue);
 */
typedef struct mp_simple_queue mp_simple_queue;

MP_BEGIN_DECLS

/**
 * Create an empty queue.
 * Python: Queue(maxsize=0), JoinableQueue(maxsize=0)
 * Does not wait. The caller owns *out.
 * Returns 0; -ENOMEM (MemoryError) when the arena's budget is used up.
 * \param maxsize messages that are in it at most; 0: as many as there is memory for
 */
MP_API int mp_queue_create(mp_queue **out, size_t maxsize);

/**
 * Put an object, as a pickle.
 * Python: Queue.put(obj, block=True, timeout=None)
 * Waits up to `timeout` while the queue is full; without maxsize it never waits for room. The
 * object has been encoded when the call returns, so a literal may die then; what cannot be written
 * is refused here. The message outlives its producer.
 * Returns 0; MP_EFULL (queue.Full); MP_ECLOSED (ValueError) after close; MP_EPICKLE, MP_EOVERFLOW,
 * MP_EINVAL (PicklingError, OverflowError, ValueError) for an object that cannot be written;
 * -ENOMEM (MemoryError) when the arena's budget is used up. Nothing was put then.
 */
MP_API int mp_queue_put(mp_queue *queue, mp_obj object, double timeout);

/**
 * Get the first message as an object.
 * Python: Queue.get(block=True, timeout=None)
 * Waits up to `timeout` for a message. The caller owns *out, and frees it with mp_obj_free. What
 * was put as bytes is a bytes object. Who is killed inside may take one message along.
 * Returns 0; MP_EEMPTY (queue.Empty); MP_ECLOSED (ValueError) after close; -ENOMEM (MemoryError):
 * a message of up to 8 KiB then stays first, a longer one is gone.
 * \param out may be NULL: the message is dropped
 */
MP_API int mp_queue_get(mp_queue *queue, mp_obj *out, double timeout);

/** Put without waiting, as mp_queue_put with MP_NOWAIT. Python: Queue.put_nowait(obj) */
MP_API int mp_queue_put_nowait(mp_queue *queue, mp_obj object);

/** Get without waiting, as mp_queue_get with MP_NOWAIT. Python: Queue.get_nowait() */
MP_API int mp_queue_get_nowait(mp_queue *queue, mp_obj *out);

/**
 * Put n bytes as one message.
 * Python: Queue.put(bytes)
 * Waits as mp_queue_put. They are copied once. No bytes are a message too. Who is killed inside
 * may have put them.
 * Returns 0; MP_EFULL (queue.Full); MP_ECLOSED (ValueError) after close; -ENOMEM (MemoryError).
 * Nothing was put then.
 * \param p may be NULL if n is 0
 */
MP_API int mp_queue_put_bytes(mp_queue *queue, const void *p, size_t n, double timeout);

/**
 * Get the first message, bytes, in memory of its own.
 * Python: Queue.get()
 * Waits as mp_queue_get. The caller owns *buf, never NULL, and frees it with free.
 * Returns 0; MP_EEMPTY (queue.Empty); MP_ETYPE (TypeError) if the first message is an object, and
 * -ENOMEM (MemoryError), both of which leave it there; MP_ECLOSED (ValueError) after close.
 * \param buf may be NULL: the message is dropped
 * \param n may be NULL
 */
MP_API int mp_queue_get_bytes(mp_queue *queue, void **buf, size_t *n, double timeout);

/**
 * Get the first message, bytes, into the caller's memory.
 * Python: Connection.recv_bytes_into(buf), for a queue
 * Waits as mp_queue_get. *n is its size, and the size needed with MP_ETOOSHORT.
 * Returns 0; MP_ETOOSHORT (BufferTooShort) if it is longer than cap, MP_ETYPE (TypeError) if it is
 * an object: it stays first, and where several consume the next call may meet another one;
 * MP_EEMPTY (queue.Empty); MP_ECLOSED (ValueError) after close.
 * \param buf of cap bytes, may be NULL if that is 0
 * \param n may be NULL
 */
MP_API int mp_queue_get_bytes_into(mp_queue *queue, void *buf, size_t cap, size_t *n,
                                   double timeout);

/**
 * Put an array: each item is a message of bytes, as if put alone.
 * Python: for item in items: Queue.put(item)
 * Waits up to `timeout`, in all, for room for the rest. Items of up to 8 KiB that find room
 * together go in together, at a fraction of the cost; others may put between those that do not.
 * Who is killed inside has put the first so many.
 * Returns how many went in, fewer than `count` where time, memory or the queue ended before; where
 * none did, MP_EFULL (queue.Full), -ENOMEM (MemoryError), MP_ECLOSED (ValueError) after close.
 * \param count items, 1 to INT_MAX
 * \param size bytes of one item, at least 1
 */
MP_API int mp_queue_put_array(mp_queue *queue, const void *items, size_t count, size_t size,
                              double timeout);

/**
 * Get messages that are there, at most `count`, into an array.
 * Python: [Queue.get() for ...]
 * Waits as mp_queue_get for the first, not for more; takes bytes of exactly `size`, up to the
 * first message that is something else. Items longer than 8 KiB come one by one.
 * Who is killed inside may take all of them along.
 * Returns how many came, 1 or more; MP_EEMPTY (queue.Empty); MP_ETYPE (TypeError) if the first
 * message is something else, it stays first; MP_ECLOSED (ValueError) after close.
 * \param buf of count * size bytes, neither of which is 0
 */
MP_API int mp_queue_get_array(mp_queue *queue, void *buf, size_t count, size_t size,
                              double timeout);

/**
 * Count the messages in the queue.
 * Python: Queue.qsize()
 * Does not wait. Exact at some instant of the call; works after close.
 * Returns the count, INT_MAX if it is more.
 */
MP_API int mp_queue_qsize(mp_queue *queue);

/**
 * Ask whether there is no message; false right after a put, unless somebody took it.
 * Python: Queue.empty()
 * Does not wait; works after close. True for what is no queue.
 */
MP_API bool mp_queue_empty(mp_queue *queue);

/**
 * Ask whether maxsize messages are there; false without maxsize.
 * Python: Queue.full()
 * Does not wait; works after close. False for what is no queue.
 */
MP_API bool mp_queue_full(mp_queue *queue);

/**
 * Report that one message that was taken is done.
 * Python: JoinableQueue.task_done()
 * Waits only for those who get at the same time; wakes who joins. Works after close. For an
 * account of the dead the process that took a message reports it.
 * Returns 0; MP_ESTATE (ValueError) if as many were reported as were put.
 */
MP_API int mp_queue_task_done(mp_queue *queue);

/**
 * Wait until each message that was put is done.
 * Python: JoinableQueue.join()
 * Waits up to `timeout`. A message is also over when the process that took it ended without
 * reporting it, whether killed or not: nobody would. Works after close.
 * Returns 0; MP_RECOVERED if messages were lost in that way since the last join that said so;
 * MP_ETIMEOUT (Python's has no timeout).
 */
MP_API int mp_queue_join(mp_queue *queue, double timeout);

/**
 * Put and get no more in this process; see CLOSE above.
 * Python: Queue.close()
 * Does not wait. Messages stay for others, and counting and reporting go on.
 * Returns 0, the second time too; -ENOMEM (MemoryError).
 */
MP_API int mp_queue_close(mp_queue *queue);

/**
 * Wait until what this process put can be read by others: it always can.
 * Python: Queue.join_thread()
 * Does not wait, as there is no thread.
 * Returns 0; MP_ESTATE (AssertionError) before close.
 */
MP_API int mp_queue_join_thread(mp_queue *queue);

/**
 * Say that the end of this process need not wait for readers: it never does.
 * Python: Queue.cancel_join_thread()
 * Changes nothing; no message is lost by it, other than in Python. Returns 0.
 */
MP_API int mp_queue_cancel_join_thread(mp_queue *queue);

/** Destroy the queue, see DESTROY above. Python: the last reference goes. */
MP_API void mp_queue_destroy(mp_queue *queue);

/**
 * Create an empty simple queue.
 * Python: SimpleQueue()
 * Does not wait. The caller owns *out. Opens two descriptors, close-on-exec and inherited by
 * children.
 * Returns 0; -ENOMEM (MemoryError) when the arena's budget is used up; -EMFILE, -ENFILE (OSError).
 */
MP_API int mp_simple_queue_create(mp_simple_queue **out);

/**
 * Put an object.
 * Python: SimpleQueue.put(obj)
 * Never waits for room. Otherwise as mp_queue_put.
 * Returns 0; MP_ECLOSED (OSError) after close; MP_EPICKLE, MP_EOVERFLOW, MP_EINVAL (PicklingError,
 * OverflowError, ValueError) for an object that cannot be written; -ENOMEM (MemoryError).
 */
MP_API int mp_simple_queue_put(mp_simple_queue *queue, mp_obj object);

/**
 * Get the first message as an object, however long it takes to come.
 * Python: SimpleQueue.get()
 * The caller owns *out, and frees it with mp_obj_free. Otherwise as mp_queue_get.
 * Returns 0; MP_ECLOSED (OSError) after close; -ENOMEM (MemoryError).
 * \param out may be NULL: the message is dropped
 */
MP_API int mp_simple_queue_get(mp_simple_queue *queue, mp_obj *out);

/**
 * Put n bytes as one message.
 * Python: SimpleQueue.put(bytes)
 * Never waits for room. Otherwise as mp_queue_put_bytes.
 * Returns 0; MP_ECLOSED (OSError) after close; -ENOMEM (MemoryError).
 * \param p may be NULL if n is 0
 */
MP_API int mp_simple_queue_put_bytes(mp_simple_queue *queue, const void *p, size_t n);

/**
 * Get the first message, bytes, in memory of its own, however long it takes to come.
 * Python: SimpleQueue.get()
 * The caller owns *buf, never NULL, and frees it with free. Otherwise as mp_queue_get_bytes.
 * Returns 0; MP_ETYPE (TypeError) if it is an object, and -ENOMEM (MemoryError), both of which
 * leave it there; MP_ECLOSED (OSError) after close.
 * \param buf may be NULL: the message is dropped
 * \param n may be NULL
 */
MP_API int mp_simple_queue_get_bytes(mp_simple_queue *queue, void **buf, size_t *n);

/**
 * Ask whether there is no message.
 * Python: SimpleQueue.empty()
 * Does not wait for messages. When there is none it sets right a descriptor that says otherwise,
 * see mp_simple_queue_fileno; a death in that leaves it as it was. True for what is no simple
 * queue, and after close (OSError in Python).
 */
MP_API bool mp_simple_queue_empty(mp_simple_queue *queue);

/**
 * Give the descriptor that is readable while there are messages, to poll and not to read.
 * Python: SimpleQueue._reader.fileno()
 * Does not wait. It stays the queue's. A killed caller of get, and a get by a process that has no
 * descriptor, may leave it readable with nothing there until the next put, get or
 * mp_simple_queue_empty: ask that before a get that must not wait, and do not poll for ever.
 * Returns the descriptor; MP_ECLOSED (OSError) after close; MP_ESTATE in a process that did not
 * inherit it.
 */
MP_API int mp_simple_queue_fileno(mp_simple_queue *queue);

/**
 * Put and get no more in this process, and close its descriptors; see CLOSE above.
 * Python: SimpleQueue.close()
 * Does not wait. Not while another thread uses the queue.
 * Returns 0, the second time too, and when another process has destroyed it meanwhile; -ENOMEM
 * (MemoryError).
 */
MP_API int mp_simple_queue_close(mp_simple_queue *queue);

/** Close the queue here and destroy it, see DESTROY above. Python: the last reference goes. */
MP_API void mp_simple_queue_destroy(mp_simple_queue *queue);

MP_END_DECLS

#endif
