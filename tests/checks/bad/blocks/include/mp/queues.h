/**
 * \file
 * Comments with blocks that do not compile.
 *
 * The line of the fault is told:
 *
 *     mp_queue *queue = mp_queue_create();
 */

/**
 * In functions too:
 *
 *     static int wrong(mp_obj arg, mp_obj *result)
 *     {
 *         return arg;
 *     }
 */
