/* testkey – see testkey.h. */
#include "config.h"

#include "common/plan/testkey.h"

#include <jansson.h>

#include "common/base/buf.h"
#include "common/plan/canon.h"
#include "common/plan/profile.h"

int testkey_make(char hex[DIGEST_HEX], const struct testkey *k, struct ps_err *err)
{
	const struct conf_builder *l = k->limits;
	struct buf text = BUF_INIT;
	json_t *doc = json_pack(
		"{s:s, s:s, s:s, s:i, s:i, s:s, s:{s:I, s:I, s:I, s:I, s:I}}", "build",
		k->build_key, "artifact", k->digest, "suite", PROFILE_SUITE_PYTHON,
		"suite_revision", PROFILE_SUITE_PYTHON_REVISION, "profile", PROFILE_REVISION,
		"fabric_name", k->fabric_name, "limits", "time_ms", (json_int_t)l->time_ms,
		"quiet_ms", (json_int_t)l->quiet_ms, "memory", (json_int_t)l->memory, "disk",
		(json_int_t)l->disk, "processes", (json_int_t)l->processes);
	int rc;

	if (!doc)
		return ps_err_set(err, PS_EINVAL, "a FABRIC_NAME that is not UTF-8");
	rc = canon_write(doc, &text, err);
	if (rc == 0)
		digest_bytes(hex, buf_str(&text), text.len);
	json_decref(doc);
	buf_clear(&text);
	return rc;
}
