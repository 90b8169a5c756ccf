/* policy_file – the policy file opened: bytes and the one map in them (inside common/config only).
 * In policy_head.o, so that who reads the head links msgpack and nothing else. */
#ifndef PS_POLICY_FILE_H
#define PS_POLICY_FILE_H

#include <msgpack.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { POLICY_VERSION = 1, POLICY_BYTES_MAX = 16 << 20 };

struct policy_file { struct buf bytes; msgpack_unpacked map; };

int policy_file_open(struct policy_file *f, const char *path, struct ps_err *err) PS_MUSTCHECK;
void policy_file_close(struct policy_file *f);
/* The value behind a key of a map, when it has that type; else NULL. */
const msgpack_object *policy_get(const msgpack_object *map, const char *key,
				 msgpack_object_type type);
/* A text of the map without NUL inside, as a string to free(); NULL when it is not there. */
char *policy_text(const msgpack_object *map, const char *key);

#endif
