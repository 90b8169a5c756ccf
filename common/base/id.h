/*
 * id – ids as people type and read them: e88 event, b31 build, t31 test, d12 deployment, x7 run.
 */
#ifndef PS_ID_H
#define PS_ID_H

#include "common/base/ps.h"

enum { ID_TEXT = 24 };	/* buffer size */

/* "e88" for ('e', 88). Returns out (ID_TEXT bytes). */
const char *id_text(char *out, char kind, int64_t n);
/* Reads "e88" (kind must match) or plain "88"; false when it is neither. */
bool id_parse(const char *s, char kind, int64_t *n);
/* The kind letter of a well-formed id ('e', 'b', 't', 'd', 'x'), else 0. */
char id_kind(const char *s);

#endif
