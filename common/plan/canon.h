/*
 * canon – canonical JSON: one value, one row of bytes, so that a digest names the value.
 *
 * Keys are sorted bytewise, there are no blanks, text is UTF-8 with the shortest escapes, and
 * numbers are integers. canon_write() refuses a real number: our own documents have none. Documents
 * of others (a job's request may bid 0.5 for a spot instance) go through canon_write_any(), which
 * writes a real with the fewest digits that read back as the same number.
 */
#ifndef PS_CANON_H
#define PS_CANON_H

#include <jansson.h>

#include "common/base/err.h"

struct buf;

/* Appends the bytes of v. PS_EINVAL for a real number. */
int canon_write(const json_t *v, struct buf *out, struct ps_err *err) PS_MUSTCHECK;
int canon_write_any(const json_t *v, struct buf *out, struct ps_err *err) PS_MUSTCHECK;
/* The keys of an object, sorted bytewise. free() the list; the keys are the object's. */
const char **canon_keys(const json_t *o, size_t *n);
/* Parses one whole document; a key given twice, a NUL in a text and trailing bytes are refused. *v
 * is the caller's (json_decref()) and set only on success. what names the document in messages. */
int canon_read(json_t **v, const char *bytes, size_t n, const char *what,
	       struct ps_err *err) PS_MUSTCHECK;

#endif
