/*
 * policy – the snapshot of the accepted configuration that hooks and the gate program may read.
 *
 * One msgpack map in one file, replaced atomically by core: the configuration's bytes without
 * credential references, its digest, the instance's paths, and the list of released tags. It must
 * be there after a reboot before the agent is. The hook reads only the top (policy_head: budget,
 * limits, identity of the root), the gate program reads all.
 */
#ifndef PS_POLICY_H
#define PS_POLICY_H

#include "common/config/config.h"

/* What the thin hook needs; decoded without libyaml (msgpack only). */
struct policy_root { char *path; uint32_t identity; char *identity_env; };
struct policy_head {
	char digest[65];
	int64_t budget_ms;
	bool on_timeout_accept;
	bool trusted_caller;		/* PENSTOCK_AS is believed from trusted_uid */
	uint32_t trusted_uid;
	char *spool;			/* absolute path of the spool folder */
	struct policy_root *roots;	/* real paths */
	size_t nroots;
};

/* Writes the file `path` (fs_write_file, mode 0644). base: instance folder. released: tags
 * "repo\0ref" are written as "repository ref" strings. yaml: the bytes c was parsed from (its
 * digest is checked). */
int policy_write(const char *path, const struct config *c, const char *base, const char *spool,
		 uint32_t trusted_uid, const char *yaml, size_t yaml_len,
		 const char *const *released, size_t nreleased, struct ps_err *err) PS_MUSTCHECK;
int policy_read_head(struct policy_head *h, const char *path, struct ps_err *err) PS_MUSTCHECK;
void policy_head_clear(struct policy_head *h);
/* The released tags, as "repository ref" strings; free with conf_names_clear(). */
int policy_read_released(struct conf_names *out, const char *path, struct ps_err *err) PS_MUSTCHECK;
/* The whole: configuration parsed again from the sanitized bytes. For the gate program. */
int policy_read_config(struct config **cfg, char **base, const char *path,
		       struct ps_err *err) PS_MUSTCHECK;

#endif
