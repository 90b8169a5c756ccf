/* policy – see policy.h: writing the snapshot, and reading it whole. The head is in
 * policy_head.c. */
#include <config.h>

#include "common/config/policy.h"

#include <fcntl.h>

#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/config/policy_file.h"
#include "common/config/redact.h"

static void pack_bytes(msgpack_packer *pk, const char *s, size_t n)
{
	msgpack_pack_str(pk, n);
	msgpack_pack_str_body(pk, s, n);
}

static void pack_text(msgpack_packer *pk, const char *s)
{
	pack_bytes(pk, s, strlen(s));
}

static void pack_flag(msgpack_packer *pk, const char *key, bool is)
{
	pack_text(pk, key);
	if (is)
		msgpack_pack_true(pk);
	else
		msgpack_pack_false(pk);
}

static void pack_number(msgpack_packer *pk, const char *key, int64_t n)
{
	pack_text(pk, key);
	msgpack_pack_int64(pk, n);
}

static void pack_pair(msgpack_packer *pk, const char *key, const char *value)
{
	pack_text(pk, key);
	pack_text(pk, value);
}

static void pack_roots(msgpack_packer *pk, const struct config *c, const char *base)
{
	pack_text(pk, "roots");
	msgpack_pack_array(pk, c->nroots);
	for (size_t i = 0; i < c->nroots; i++) {
		const struct conf_root *r = &c->roots[i];
		char *path = config_root_path(r, base);

		msgpack_pack_map(pk, r->identity_env ? 3 : 2);
		pack_pair(pk, "path", path);
		pack_number(pk, "identity", r->identity);
		if (r->identity_env)
			pack_pair(pk, "identity_env", r->identity_env);
		free(path);
	}
}

int policy_write(const char *path, const struct config *c, const char *base, const char *spool,
		 uint32_t trusted_uid, const char *yaml, size_t yaml_len,
		 const char *const *released, size_t nreleased, struct ps_err *err)
{
	char digest[PS_DIGEST_HEX + 1];
	struct buf redacted = BUF_INIT;
	msgpack_sbuffer out;
	msgpack_packer pk;
	int rc;

	digest_bytes(digest, yaml, yaml_len);
	PS_BUG_IF(strcmp(digest, c->digest) != 0, "policy of other bytes than were parsed");
	msgpack_sbuffer_init(&out);
	msgpack_packer_init(&pk, &out, msgpack_sbuffer_write);
	rc = config_redact(&redacted, c, yaml, yaml_len, err);
	if (rc < 0)
		goto out;
	msgpack_pack_map(&pk, 11);
	pack_number(&pk, "version", POLICY_VERSION);
	pack_pair(&pk, "digest", c->digest);
	pack_number(&pk, "budget_ms", c->repo.budget_ms);
	pack_flag(&pk, "on_timeout_accept", c->repo.on_timeout_accept);
	pack_flag(&pk, "trusted_caller", c->trusted_caller);
	pack_number(&pk, "trusted_uid", trusted_uid);
	pack_pair(&pk, "spool", spool);
	pack_pair(&pk, "base", base);
	pack_roots(&pk, c, base);
	pack_text(&pk, "released");
	msgpack_pack_array(&pk, nreleased);
	for (size_t i = 0; i < nreleased; i++)
		pack_text(&pk, released[i]);
	pack_text(&pk, "config");
	pack_bytes(&pk, buf_str(&redacted), redacted.len);
	if (FAIL_AT("policy.write"))
		rc = ps_err_errno(err, "cannot write the policy '%s'", path);
	else
		rc = fs_write_file(AT_FDCWD, path, out.data, out.size, 0644, err);
out:
	buf_clear(&redacted);
	msgpack_sbuffer_destroy(&out);
	return rc;
}

int policy_read_released(struct conf_names *out, const char *path, struct ps_err *err)
{
	const msgpack_object *list;
	struct policy_file f;
	int rc = policy_file_open(&f, path, err);

	*out = (struct conf_names) { NULL, 0 };
	if (rc < 0)
		return rc;
	list = policy_get(&f.map.data, "released", MSGPACK_OBJECT_ARRAY);
	if (!list) {
		policy_file_close(&f);
		return ps_err_set(err, PS_EPROTO, "policy '%s' has no list of released tags", path);
	}
	out->v = xcalloc(list->via.array.size + 1, sizeof(char *));
	for (uint32_t i = 0; i < list->via.array.size; i++) {
		const msgpack_object *o = &list->via.array.ptr[i];

		if (o->type == MSGPACK_OBJECT_STR)
			out->v[out->n++] = xstrndup(o->via.str.ptr, o->via.str.size);
	}
	policy_file_close(&f);
	return 0;
}

int policy_read_config(struct config **cfg, char **base, const char *path, struct ps_err *err)
{
	struct diag_list findings = DIAG_LIST_INIT;
	const msgpack_object *yaml;
	struct policy_file f;
	char *digest, *folder;
	int rc = policy_file_open(&f, path, err);

	*cfg = NULL;
	if (rc < 0)
		return rc;
	digest = policy_text(&f.map.data, "digest");
	folder = policy_text(&f.map.data, "base");
	yaml = policy_get(&f.map.data, "config", MSGPACK_OBJECT_STR);
	if (!digest || strlen(digest) != PS_DIGEST_HEX || !folder || !yaml) {
		rc = ps_err_set(err, PS_EPROTO, "policy '%s' is not whole", path);
		goto out;
	}
	rc = config_parse(cfg, "penstock.yml", yaml->via.str.ptr, yaml->via.str.size, &findings,
			  err);
	if (rc == 0 && !*cfg)
		rc = ps_err_set(err, PS_ECONFIG,
				"policy '%s' holds a configuration that is not valid: %s", path,
				findings.n ? findings.v[0].text : "no finding");
	if (rc == 0) {
		/* of the file, not of the snapshot */
		memcpy((*cfg)->digest, digest, sizeof((*cfg)->digest));
		*base = folder;
		folder = NULL;
	}
out:
	free(digest);
	free(folder);
	diag_clear(&findings);
	policy_file_close(&f);
	return rc;
}
