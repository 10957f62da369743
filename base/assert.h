/* ASSERT: a broken invariant ends the process, in release builds too.
 *
 * For bugs of ours only. Never on bytes that came from a peer, a disk or a client: those get a
 * clear error, a counter, and a closed connection or a stopped node.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

/* Prints "FILE:LINE: function: assertion failed: TEXT" to standard error and aborts. */
_Noreturn void base_assert_failed(const char *file, int line, const char *function,
                                  const char *text);

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : base_assert_failed(__FILE__, __LINE__, __func__, #condition))

/* A place that cannot be reached; the text says why. */
#define UNREACHABLE(text) base_assert_failed(__FILE__, __LINE__, __func__, text)

#endif
