/**
 * \file
 * Shared values and arrays, and plain shared memory.
 *
 * Every call below answers MP_EINVAL (ValueError) for NULL, MP_ETYPE (TypeError) for an object of
 * another kind, MP_ECLOSED (ValueError) for a destroyed one; functions that give a pointer give
 * NULL then. An object stands at the same address in every process of the tree, may be a member
 * of a struct in mp_raw_alloc memory, and outlives the process that made it.
 *
 * TYPECODES. 'c' char, 'b' int8_t, 'B' uint8_t, 'h' short, 'H' unsigned short, 'i' int,
 * 'I' unsigned, 'l' long, 'L' unsigned long, 'q' long long, 'Q' unsigned long long, 'f' float,
 * 'd' double, '?' bool.
 */
#ifndef MP_SHAREDCTYPES_H
#define MP_SHAREDCTYPES_H

#include "synchronize.h"

#include <stdio.h>

/**
 * One shared variable with an RLock of its own, mirroring Python's Value.
 * Reading or writing it takes no lock; what must be one step is done under the lock, and
 * `MP_VALUE(int, v) += 1` is two steps, as in Python.
 *
 *     mp_value *v;
 *     MP_CHECK(mp_value_create(&v, 'i', NULL)); // v = Value('i', 0)
 *     MP_WITH_VALUE(v) {                        // with v.get_lock():
 *         MP_VALUE(int, v) += 1;                //     v.value += 1
 *     }
 *     mp_value_destroy(v);
 */
typedef struct mp_value mp_value;

/**
 * A shared array of a fixed length with an RLock of its own, mirroring Python's Array.
 * Access is plain C: no bounds are checked, no lock is taken.
 *
 *     mp_array *a;
 *     MP_CHECK(mp_array_create(&a, 'i', 5, (const int[]){0, 1, 2, 3, 4})); // Array('i', range(5))
 *     MP_WITH_ARRAY(a) {
 *         for (size_t i = 0; i < mp_array_len(a); i++)
 *             MP_ARRAY(int, a)[i] += 1;
 *     }
 *     MP_CHECK(mp_array_println(a, stdout));
 *     mp_array_destroy(a);
 */
typedef struct mp_array mp_array;

MP_BEGIN_DECLS

/**
 * Create a shared value of one of Python's types.
 * Python: Value(typecode, init)
 * Does not wait. Copies one element from `init`. The caller owns *out.
 * Returns 0; MP_EINVAL (TypeError) for an unknown typecode and for a NULL out;
 * -ENOMEM (MemoryError); MP_ENOSLOT (OSError). A caller killed inside leaves nothing for long.
 * \param init what it begins with; NULL: zero
 */
MP_API int mp_value_create(mp_value **out, char typecode, const void *init);

/**
 * Create a shared value of any type, a struct say.
 * Python: Value(a ctypes Structure, ...)
 * As mp_value_create, without a typecode. Pointers inside mean the same in all processes of the
 * tree only if they point to shared memory. The value stands on a 64-byte boundary.
 * Returns as mp_value_create; MP_EINVAL for size 0 too; MP_EOVERFLOW (OverflowError) for a size no
 * memory can have.
 * \param size bytes
 */
MP_API int mp_value_create_sized(mp_value **out, size_t size, const void *init);

/**
 * Create a shared array of one of Python's types.
 * Python: Array(typecode, size_or_initializer)
 * As mp_value_create; copies `len` elements from `init`. A length of 0 is fine.
 * Returns as mp_value_create; MP_EOVERFLOW (OverflowError) if the size in bytes cannot be counted.
 * \param len elements
 */
MP_API int mp_array_create(mp_array **out, char typecode, size_t len, const void *init);

/**
 * Create a shared array of elements of any type.
 * Python: Array(a ctypes Structure, ...)
 * As mp_array_create and mp_value_create_sized.
 * \param elem_size bytes of one element
 * \param len elements
 */
MP_API int mp_array_create_sized(mp_array **out, size_t elem_size, size_t len, const void *init);

/**
 * Give the address of the variable itself.
 * Python: Value.get_obj()
 * Does not wait and takes no lock. Borrowed: valid in every process of the tree until destroyed.
 */
MP_API void *mp_value_ptr(mp_value *value);

/**
 * Give the address of the first element.
 * Python: Array.get_obj()
 * As mp_value_ptr. For a length of 0 the pointer is not to be followed.
 */
MP_API void *mp_array_ptr(mp_array *array);

/* What MP_VALUE calls: the address, after a look at the size. */
MP_API void *mp_value_at_(mp_value *value, size_t size, const char *file, int line);

/* What MP_ARRAY calls: the address, after a look at the size of an element. */
MP_API void *mp_array_at_(mp_array *array, size_t size, const char *file, int line);

/**
 * Give the number of elements.
 * Python: len(array)
 * It never changes. 0 for what is no array. Does not wait.
 */
MP_API size_t mp_array_len(const mp_array *array);

/**
 * Give the lock that belongs to the value.
 * Python: Value.get_lock()
 * Borrowed: it is destroyed with the value, and is not to be destroyed by itself. Does not wait.
 * When a process ended while holding it, the next acquire says MP_RECOVERED.
 */
MP_API mp_rlock *mp_value_get_lock(mp_value *value);

/**
 * Give the lock that belongs to the array.
 * Python: Array.get_lock()
 * As mp_value_get_lock.
 */
MP_API mp_rlock *mp_array_get_lock(mp_array *array);

/**
 * Destroy a shared value and its lock; NULL is fine.
 * Python: the last reference goes
 * In the process that created it, or in any once that has ended, the memory goes back to the
 * heap: no process may touch it any more. Elsewhere it only forgets. Who waits for its lock gets
 * MP_ECLOSED. Does not wait. A caller killed inside leaves it destroyed or whole.
 */
MP_API void mp_value_destroy(mp_value *value);

/**
 * Destroy a shared array and its lock; NULL is fine.
 * Python: the last reference goes
 * As mp_value_destroy.
 */
MP_API void mp_array_destroy(mp_array *array);

/**
 * Print the elements as Python prints a list: [5, 6, 7, 8, 9]; those of 'c' as bytes: b'abc'.
 * Python: print(array[:], end='')
 * Takes no lock: hold the array's for a picture of one moment. Waits as the stream does.
 * Returns 0; MP_ETYPE (TypeError) for an array made by mp_array_create_sized; MP_EINVAL for a NULL
 * stream; -errno of the stream (OSError).
 */
MP_API int mp_array_print(mp_array *array, FILE *stream);

/**
 * Print the elements and a newline.
 * Python: print(array[:])
 * As mp_array_print.
 */
MP_API int mp_array_println(mp_array *array, FILE *stream);

/**
 * Allocate zeroed shared memory on a 64-byte boundary, for a struct of your own.
 * Python: RawValue(type), RawArray(type, n)
 * Does not wait. The caller owns it; it has no lock, and is at the same address in every process
 * of the tree. Objects of libmp may be pointed to from inside.
 * Returns 0; MP_EINVAL (ValueError) for a NULL out or size 0; -ENOMEM (MemoryError); MP_ENOSLOT
 * (OSError). A caller killed inside leaves nothing for long; killed later, the memory stays.
 * \param size bytes
 */
MP_API int mp_raw_alloc(void **out, size_t size);

/**
 * Free what mp_raw_alloc gave; NULL is fine.
 * Python: the last reference goes
 * Any process of the tree may do it, once; none may touch the memory any more. Does not wait.
 * A caller killed inside leaves it freed or whole.
 */
MP_API void mp_raw_free(void *memory);

MP_END_DECLS

/** The variable of a value, to read and to assign: a wrong size ends the program with a message. */
#define MP_VALUE(T, v) (*(T *)mp_value_at_(v, sizeof(T), __FILE__, __LINE__))

/** The elements of an array, to index: a wrong element size ends the program with a message. */
#define MP_ARRAY(T, a) ((T *)mp_array_at_(a, sizeof(T), __FILE__, __LINE__))

/** Run a block under the lock of a value or an array; rules as for MP_WITH_RLOCK. */
#define MP_WITH_VALUE(v) MP_WITH_RLOCK(mp_value_get_lock(v))
#define MP_WITH_ARRAY(a) MP_WITH_RLOCK(mp_array_get_lock(a))

/** Hold the lock of a value or an array to the end of the block; rules as for MP_HOLD_RLOCK. */
#define MP_HOLD_VALUE(v) MP_HOLD_RLOCK(mp_value_get_lock(v))
#define MP_HOLD_ARRAY(a) MP_HOLD_RLOCK(mp_array_get_lock(a))

#endif
