/*
 * databricks_diff – is a job as its definition says, whatever the server makes of it?
 *
 * It adds defaults, drops what is empty, sorts lists whose elements have a key, and gives numbers
 * for texts. So only what the definition names is looked at; elements are matched by their key
 * where they have one; and everything empty is one value. What the definition does not name is
 * somebody else's: a cluster policy's, the cloud's.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

/* Taken by the server and never given back, or not ours to compare: whether a schedule is paused is
 * an operator's. */
static const char *const ignored[] = {
	"apply_policy_default_values",
	"pause_status",
	"version_id",
	"format",
};
static const char *const list_keys[] = {
	"task_key", "job_cluster_key", "environment_key", "id", "name",
};

static bool is_ignored(const char *key)
{
	for (size_t i = 0; i < PS_NELEM(ignored); i++)
		if (strcmp(ignored[i], key) == 0)
			return true;
	return false;
}

static bool is_empty(const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_NULL:
	case JSON_FALSE:
		return true;
	case JSON_TRUE:
		return false;
	case JSON_STRING:
		return !*json_string_value(v);
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(v) == 0;
	case JSON_ARRAY:
		return json_array_size(v) == 0;
	case JSON_OBJECT:
		break;
	}
	for (void *it = json_object_iter((json_t *)v); it;
	     it = json_object_iter_next((json_t *)v, it))
		if (!is_empty(json_object_iter_value(it)))
			return false;
	return true;
}

/* By what the elements of a list are known; NULL: by their order. */
static const char *key_of(const json_t *list)
{
	for (size_t k = 0; k < PS_NELEM(list_keys); k++) {
		bool all = json_array_size(list) > 0;

		for (size_t i = 0; i < json_array_size(list) && all; i++)
			all = json_is_string(
				json_object_get(json_array_get(list, i), list_keys[k]));
		if (all)
			return list_keys[k];
	}
	return NULL;
}

static json_t *element(const json_t *list, const char *key, const json_t *like)
{
	const char *wanted = json_string_value(json_object_get(like, key));

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *v = json_array_get(list, i);

		if (ps_streq(json_string_value(json_object_get(v, key)), wanted))
			return v;
	}
	return NULL;
}

static bool same_scalar(const json_t *a, const json_t *b)
{
	const char *text = json_string_value(json_is_string(a) ? a : b);
	const json_t *number = json_is_number(a) ? a : b;
	char *end;
	double v;

	if (json_is_number(a) && json_is_number(b))
		return json_is_integer(a) && json_is_integer(b)
			       ? json_integer_value(a) == json_integer_value(b)
			       : json_number_value(a) == json_number_value(b);
	if (!text || !*text || !json_is_number(number))
		return json_equal(a, b);
	v = strtod(text, &end);
	return !*end && v == json_number_value(number);
}

static bool same(const json_t *wanted, const json_t *there);

static bool same_list(const json_t *wanted, const json_t *there)
{
	const char *key = key_of(wanted);

	if (json_array_size(wanted) != json_array_size(there))
		return false;
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		const json_t *v = json_array_get(wanted, i);

		if (!same(v, key ? element(there, key, v) : json_array_get(there, i)))
			return false;
	}
	return true;
}

static bool same(const json_t *wanted, const json_t *there)
{
	if (is_empty(wanted) && is_empty(there))
		return true;
	if (json_is_array(wanted) && json_is_array(there))
		return same_list(wanted, there);
	if (!json_is_object(wanted) || !json_is_object(there))
		return there && same_scalar(wanted, there);
	for (void *it = json_object_iter((json_t *)wanted); it;
	     it = json_object_iter_next((json_t *)wanted, it)) {
		const char *key = json_object_iter_key(it);

		if (!is_ignored(key) &&
		    !same(json_object_iter_value(it), json_object_get(there, key)))
			return false;
	}
	return true;
}

bool dbx_is_as(const json_t *wanted, const json_t *there)
{
	return same(wanted, there);
}

/* ---- what is there, said in the definition's own shape ---- */

static json_t *as_is_list(const json_t *wanted, const json_t *there)
{
	const char *key = key_of(wanted);
	json_t *out = json_array();

	if (!key) {
		json_array_extend(out, (json_t *)there);
		return out;
	}
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		const json_t *v = json_array_get(wanted, i), *is = element(there, key, v);

		if (is)
			json_array_append_new(out, dbx_as_is(v, is));
	}
	for (size_t i = 0; i < json_array_size(there); i++) {
		json_t *v = json_array_get(there, i);

		if (!element(wanted, key, v))
			json_array_append(out, v);
	}
	return out;
}

json_t *dbx_as_is(const json_t *wanted, const json_t *there)
{
	json_t *out;

	if (!there || same(wanted, there))
		return json_incref((json_t *)(same(wanted, there) ? wanted : json_null()));
	if (json_is_array(wanted) && json_is_array(there))
		return as_is_list(wanted, there);
	if (!json_is_object(wanted) || !json_is_object(there))
		return json_incref((json_t *)there);
	out = json_object();
	for (void *it = json_object_iter((json_t *)wanted); it;
	     it = json_object_iter_next((json_t *)wanted, it)) {
		const char *key = json_object_iter_key(it);
		json_t *v = json_object_iter_value(it), *is = json_object_get(there, key);

		if (is_ignored(key) || same(v, is))
			json_object_set(out, key, v);
		else if (is)
			json_object_set_new(out, key, dbx_as_is(v, is));
	}
	return out;
}
