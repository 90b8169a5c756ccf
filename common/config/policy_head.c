/* policy_head – what the thin hook reads of the policy: msgpack alone, no YAML (see policy.h). */
#include <config.h>

#include "common/config/policy.h"

#include <fcntl.h>

#include "common/base/fsutil.h"
#include "common/config/policy_file.h"

int policy_file_open(struct policy_file *f, const char *path, struct ps_err *err)
{
	const msgpack_object *version;
	size_t at = 0;
	int rc;

	*f = (struct policy_file) { .bytes = BUF_INIT };
	msgpack_unpacked_init(&f->map);
	rc = fs_read(&f->bytes, AT_FDCWD, path, POLICY_BYTES_MAX, err);
	if (rc == 0 && msgpack_unpack_next(&f->map, buf_str(&f->bytes), f->bytes.len,
					   &at) != MSGPACK_UNPACK_SUCCESS)
		rc = ps_err_set(err, PS_EPROTO, "policy '%s' is not readable", path);
	if (rc == 0) {
		version = policy_get(&f->map.data, "version", MSGPACK_OBJECT_POSITIVE_INTEGER);
		if (!version || version->via.u64 != POLICY_VERSION)
			rc = ps_err_set(err, PS_EPROTO,
					"policy '%s' has another version than this program", path);
	}
	if (rc < 0)
		policy_file_close(f);
	return rc;
}

void policy_file_close(struct policy_file *f)
{
	msgpack_unpacked_destroy(&f->map);
	buf_clear(&f->bytes);
}

const msgpack_object *policy_get(const msgpack_object *map, const char *key,
				 msgpack_object_type type)
{
	size_t n = strlen(key);

	for (uint32_t i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];

		if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == n &&
		    memcmp(kv->key.via.str.ptr, key, n) == 0)
			return kv->val.type == type ? &kv->val : NULL;
	}
	return NULL;
}

char *policy_text(const msgpack_object *map, const char *key)
{
	const msgpack_object *o = policy_get(map, key, MSGPACK_OBJECT_STR);

	if (!o || memchr(o->via.str.ptr, '\0', o->via.str.size))
		return NULL;
	return xstrndup(o->via.str.ptr, o->via.str.size);
}

static bool number(const msgpack_object *map, const char *key, uint64_t max, uint64_t *n)
{
	const msgpack_object *o = policy_get(map, key, MSGPACK_OBJECT_POSITIVE_INTEGER);

	if (!o || o->via.u64 > max)
		return false;
	*n = o->via.u64;
	return true;
}

static bool flag(const msgpack_object *map, const char *key, bool *is)
{
	const msgpack_object *o = policy_get(map, key, MSGPACK_OBJECT_BOOLEAN);

	if (o)
		*is = o->via.boolean;
	return o != NULL;
}

static bool read_roots(struct policy_head *h, const msgpack_object *map)
{
	const msgpack_object *roots = policy_get(map, "roots", MSGPACK_OBJECT_ARRAY);

	if (!roots)
		return false;
	h->roots = xcalloc(roots->via.array.size + 1, sizeof(*h->roots));
	for (uint32_t i = 0; i < roots->via.array.size; i++) {
		const msgpack_object *o = &roots->via.array.ptr[i];
		struct policy_root *root = &h->roots[h->nroots++];
		uint64_t identity;

		root->path = policy_text(o, "path");
		root->identity_env = policy_text(o, "identity_env");
		if (!root->path || !number(o, "identity", UINT32_MAX, &identity))
			return false;
		root->identity = (uint32_t)identity;
	}
	return true;
}

int policy_read_head(struct policy_head *h, const char *path, struct ps_err *err)
{
	struct policy_file f;
	uint64_t budget = 0, uid = 0;
	char *digest;
	bool ok;
	int rc = policy_file_open(&f, path, err);

	*h = (struct policy_head) { 0 };
	if (rc < 0)
		return rc;
	digest = policy_text(&f.map.data, "digest");
	h->spool = policy_text(&f.map.data, "spool");
	ok = digest && strlen(digest) == PS_DIGEST_HEX && h->spool &&
	     number(&f.map.data, "budget_ms", INT64_MAX, &budget) &&
	     number(&f.map.data, "trusted_uid", UINT32_MAX, &uid) &&
	     flag(&f.map.data, "on_timeout_accept", &h->on_timeout_accept) &&
	     flag(&f.map.data, "trusted_caller", &h->trusted_caller) && read_roots(h, &f.map.data);
	if (ok)
		memcpy(h->digest, digest, sizeof(h->digest));
	h->budget_ms = (int64_t)budget;
	h->trusted_uid = (uint32_t)uid;
	free(digest);
	policy_file_close(&f);
	if (ok)
		return 0;
	policy_head_clear(h);
	return ps_err_set(err, PS_EPROTO, "policy '%s' lacks what the hook needs", path);
}

void policy_head_clear(struct policy_head *h)
{
	for (size_t i = 0; i < h->nroots; i++) {
		free(h->roots[i].path);
		free(h->roots[i].identity_env);
	}
	free(h->roots);
	free(h->spool);
	*h = (struct policy_head) { 0 };
}
