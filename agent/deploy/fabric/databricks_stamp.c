/*
 * databricks_stamp – the tags that a job carries so that it is found again and nobody takes it for
 * his own.
 *
 * Tags of a job become tags of the clusters it starts, and every cloud has its own idea of those:
 * what fits all is a value of at most 63 of a-z, 0-9, '-' and '_'. So digests are cut to 32 digits.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include <ctype.h>

#include "common/base/digest.h"
#include "common/plan/canon.h"

enum { TAGS_MAX = 25, VALUE_MAX = 63, CUT = DBX_STAMP - 1 };

#define TAG_PROJECT "penstock-project" /* for people */
#define TAG_FENCE "penstock-fence"

const char *dbx_stamp(char out[DBX_STAMP], const struct fabric_target *t, const char *key)
{
	json_t *v = json_pack("[s s s]", t->repository, t->project, key);
	struct buf b = BUF_INIT;
	char hex[DIGEST_HEX];
	int rc = v ? canon_write(v, &b, NULL) : PS_EINVAL;

	/* place_open() and the role have looked at these names */
	PS_BUG_IF(rc < 0, "the place of a job is no text");
	digest_bytes(hex, buf_str(&b), b.len);
	snprintf(out, DBX_STAMP, "%.*s", CUT, hex);
	buf_clear(&b);
	json_decref(v);
	return out;
}

/* Whatever else a name has becomes '-'. */
static void put_readable(json_t *tags, const char *name, const char *text)
{
	char value[VALUE_MAX + 1];
	size_t n = 0;

	for (; *text && n < VALUE_MAX; text++) {
		unsigned char c = (unsigned char)tolower((unsigned char)*text);

		value[n++] = isalnum(c) || c == '_' ? (char)c : '-';
	}
	value[n] = '\0';
	json_object_set_new(tags, name, json_string(value));
}

static void put_cut(json_t *tags, const char *name, const char *hex)
{
	json_object_set_new(tags, name, json_stringn(hex, strnlen(hex, CUT)));
}

int dbx_stamp_put(json_t *settings, const struct fabric_target *t, const struct fabric_job *j,
		  struct ps_err *err)
{
	json_t *tags = json_object_get(settings, "tags");
	char stamp[DBX_STAMP], fence[24];

	if (!json_is_object(tags)) {
		tags = json_object();
		json_object_set_new(settings, "tags", tags);
	}
	put_cut(tags, DBX_TAG_JOB, dbx_stamp(stamp, t, j->key));
	put_cut(tags, DBX_TAG_DEFINITION, j->sha256);
	put_cut(tags, DBX_TAG_RELEASE, t->release);
	put_readable(tags, TAG_PROJECT, t->place);
	snprintf(fence, sizeof(fence), "%llu", (unsigned long long)t->fence);
	put_readable(tags, TAG_FENCE, fence);
	if (json_object_size(tags) > TAGS_MAX)
		return ps_err_set(
			err, PS_ELIMIT,
			"'%s' has %zu tags with those of penstock, and a job may have %d: "
			"take some out of its definition",
			j->key, json_object_size(tags), TAGS_MAX);
	return 0;
}

const char *dbx_tag(const json_t *settings, const char *name)
{
	return json_string_value(json_object_get(json_object_get(settings, "tags"), name));
}

bool dbx_is_last(const json_t *settings, const char *sha256)
{
	const char *last = dbx_tag(settings, DBX_TAG_DEFINITION);

	return last && strlen(last) == CUT && strncmp(last, sha256, CUT) == 0;
}
