/*
 * escape – the one place that makes foreign text safe to print.
 *
 * Branch names, job names and test output come from strangers and end on the terminals of pushers
 * and approvers. Control bytes (C0 but the newline where allowed, DEL, C1) and bytes that are not
 * UTF-8 become \xNN; bidi controls become \u{NNNN}. Everything that prints foreign text calls this
 * as its last step.
 */
#ifndef PS_ESCAPE_H
#define PS_ESCAPE_H

#include "common/base/ps.h"

struct buf;

/* One line: newlines and tabs are escaped too. Cut at out's size, always NUL-ended. Returns out. */
char *escape_line(char *out, size_t size, const char *text);
/* Appends text of n bytes; keep_newlines lets \n and \t pass. */
void escape_buf(struct buf *out, const char *text, size_t n, bool keep_newlines);
/* Appends a text of JSON, quotes and all, with the shortest escapes: one value, one row of bytes.
 * The n bytes must be UTF-8. */
void escape_json(struct buf *out, const char *text, size_t n);
/* A path as a shell reads it back. free() it. */
char *escape_shell(const char *path);
/* Length in bytes of the UTF-8 sequence at p (1-4), 0 when it is not valid UTF-8. */
size_t utf8_len(const unsigned char *p, size_t n);
bool utf8_valid(const char *s, size_t n);

#endif
