/*
 * databricks_rights – who may do what with a job, as its definition says (access_control_list).
 *
 * What it grants is granted before the job is written: what is stamped has it. What the definition
 * before granted and this one does not is taken away then, where it is still there as it was given:
 * a right that somebody gave or raised by hand is not ours, and neither is the owner. The one
 * before is known by its digest in the job's stamp; where its bytes are not at hand any more,
 * nothing is taken.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include "common/base/fsutil.h"
#include "common/plan/canon.h"
#include "common/plan/render.h"

static const char *const kinds[] = { "user_name", "group_name", "service_principal_name" };
static const char *const levels[] = { "CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER" };
enum { OWNER = 3 };

static const char *level_word(const json_t *entry)
{
	return json_string_value(json_object_get(entry, "permission_level"));
}

/* Of more than one, the later has more rights; -1: nothing that was known when this was written. */
static int level_of(const json_t *entry)
{
	for (size_t i = 0; i < PS_NELEM(levels); i++)
		if (ps_streq(level_word(entry), levels[i]))
			return (int)i;
	return -1;
}

static const char *kind_of(const json_t *entry)
{
	for (size_t i = 0; i < PS_NELEM(kinds); i++)
		if (json_is_string(json_object_get(entry, kinds[i])))
			return kinds[i];
	return NULL;
}

static const char *name_of(const json_t *entry)
{
	const char *kind = kind_of(entry);

	return kind ? json_string_value(json_object_get(entry, kind)) : "";
}

/* What a list has for the same principal; NULL. */
static json_t *find(const json_t *list, const json_t *like)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *v = json_array_get(list, i);

		if (kind_of(like) && ps_streq(kind_of(v), kind_of(like)) &&
		    strcmp(name_of(v), name_of(like)) == 0)
			return v;
	}
	return NULL;
}

/* ---- what is ours to change ---- */

/* What a definition grants to others than the owner; the caller's. */
static json_t *granted(const json_t *acl)
{
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(acl); i++)
		if (level_of(json_array_get(acl, i)) != OWNER)
			json_array_append(out, json_array_get(acl, i));
	return out;
}

/* The same of the definition that was written last. */
static json_t *granted_before(const struct fabric_target *t, const json_t *there)
{
	const char *last = dbx_tag(there, DBX_TAG_DEFINITION);
	json_t *doc = NULL, *out;
	struct buf b = BUF_INIT;
	char hex[65];

	if (last && cas_find(t->content, last, hex) &&
	    cas_read(&b, t->content, hex, PS_JSON_MAX, NULL) == 0 &&
	    canon_read(&doc, buf_str(&b), b.len, "definition", NULL) < 0)
		doc = NULL;
	out = granted(json_object_get(render_request(doc), "access_control_list"));
	json_decref(doc);
	buf_clear(&b);
	return out;
}

/* Does the definition grant less to this one than the one before did? */
static bool is_less(const json_t *acl, const json_t *before)
{
	return level_of(find(acl, before)) < level_of(before);
}

static bool any_less(const json_t *acl, const json_t *before)
{
	for (size_t i = 0; i < json_array_size(before); i++)
		if (is_less(acl, json_array_get(before, i)))
			return true;
	return false;
}

/* ---- what is there ---- */

/* Entries as they are sent; what comes from elsewhere (administrators of the workspace) is left
 * out. */
static void read_there(json_t *to, const json_t *answer)
{
	json_t *item, *right;
	size_t i, k;

	json_array_foreach(json_object_get(answer, "access_control_list"), i, item)
		json_array_foreach(json_object_get(item, "all_permissions"), k, right)
	{
		const char *kind = kind_of(item);

		if (kind && level_word(right) &&
		    !json_is_true(json_object_get(right, "inherited")))
			json_array_append_new(to, json_pack("{ss ss}", kind, name_of(item),
							    "permission_level",
							    level_word(right)));
	}
}

static void tell_taken(struct fabric_target *t, const json_t *entry)
{
	size_t n = strlen(t->said);

	snprintf(t->said + n, sizeof(t->said) - n, "%stook %s from %s", n ? "; " : "",
		 level_word(entry), name_of(entry));
}

/* The whole list as it shall be; *less: something of it was taken away. */
static json_t *wanted(struct fabric_target *t, const json_t *is, const json_t *acl,
		      const json_t *before, bool *less)
{
	json_t *out = json_array(), *v;
	size_t i;

	*less = false;
	json_array_foreach(is, i, v)
	{
		const json_t *gave = find(before, v);

		if (gave && level_of(gave) == level_of(v) && is_less(acl, gave)) {
			*less = true;
			tell_taken(t, v);
			continue;
		}
		json_array_append_new(out, json_deep_copy(v));
	}
	json_array_foreach(acl, i, v)
	{
		json_t *has = find(out, v);

		if (!has)
			json_array_append_new(out, json_deep_copy(v));
		else if (level_of(has) < level_of(v))
			json_object_set(has, "permission_level",
					json_object_get(v, "permission_level"));
	}
	return out;
}

/* ---- asking ---- */

/* Takes list over (NULL: it only reads). */
static int ask(struct fabric_target *t, const char *method, json_int_t id, json_t *list,
	       json_t *there, struct ps_err *err)
{
	char path[80];
	struct dbx_said s;
	int rc;

	snprintf(path, sizeof(path), "/api/2.0/permissions/jobs/%lld", (long long)id);
	rc = dbx_ask(dbx_of(t),
		     &(struct dbx_ask){
			     .method = method,
			     .path = path,
			     .repeatable = true,
			     .body = list ? json_pack("{so}", "access_control_list", list) : NULL },
		     &s, err);
	if (rc == 0 && there)
		read_there(there, s.doc);
	dbx_said_clear(&s);
	return rc;
}

/* Nothing but PUT takes a right away, and it takes all that it does not name. */
static int change(struct fabric_target *t, json_int_t id, const json_t *acl, const json_t *before,
		  struct ps_err *err)
{
	json_t *is = json_array(), *list;
	int rc = ask(t, NULL, id, NULL, is, err);
	bool less = false;

	list = wanted(t, is, acl, before, &less);
	if (rc == 0 && less)
		rc = ask(t, "PUT", id, json_incref(list), NULL, err);
	else if (rc == 0 && json_array_size(acl))
		rc = ask(t, "PATCH", id, json_incref((json_t *)acl), NULL, err);
	json_decref(list);
	json_decref(is);
	return rc;
}

int dbx_rights_put(struct fabric_target *t, const char *key, const json_t *job, const json_t *acl,
		   struct ps_err *err)
{
	json_t *now = granted(acl), *before = granted_before(t, dbx_settings(job));
	int rc = 0;

	if (any_less(now, before))
		rc = change(t, dbx_id(job), now, before, err);
	else if (json_array_size(now))
		rc = ask(t, "PATCH", dbx_id(job), json_incref(now), NULL, err);
	json_decref(now);
	json_decref(before);
	return rc < 0 ? ps_err_prefix(err, "the permissions of '%s'", key) : 0;
}
