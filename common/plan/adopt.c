/* adopt – see adopt.h. */
#include "config.h"

#include "common/plan/adopt.h"

#include "common/plan/diff.h"

/* The member of a list that has this name; NULL when there is none. */
static const json_t *named(const json_t *list, const char *key, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		if (ps_streq(json_string_value(json_object_get(v, key)), name))
			return v;
	}
	return NULL;
}

static const char *name_key(const json_t *list)
{
	static const char *const keys[] = { "task_key", "job_cluster_key" };

	for (size_t k = 0; k < PS_NELEM(keys); k++)
		if (json_object_get(json_array_get(list, 0), keys[k]))
			return keys[k];
	return NULL;
}

/* The template as it must become; a new reference. Any of the first two may be NULL. */
static json_t *become(const json_t *t, const json_t *d, const json_t *o)
{
	json_t *made, *value;
	const char *key;
	size_t i;

	if (t && d && json_equal(d, o))
		return json_incref((json_t *)t);
	if (json_is_object(t) && json_is_object(d) && json_is_object(o)) {
		made = json_object();
		json_object_foreach((json_t *)o, key, value) {
			const json_t *of_t = json_object_get(t, key);
			const json_t *of_d = json_object_get(d, key);

			/* what a plan has added and nobody has changed is no template's */
			if (of_t || !of_d || !json_equal(of_d, value))
				json_object_set_new(made, key, become(of_t, of_d, value));
		}
		return made;
	}
	key = json_is_array(t) && json_is_array(d) && json_is_array(o) ? name_key(o) : NULL;
	if (!key)
		return json_incref((json_t *)o);
	made = json_array();
	json_array_foreach(o, i, value) {
		const char *name = json_string_value(json_object_get(value, key));

		json_array_append_new(made, become(named(t, key, name), named(d, key, name),
						   value));
	}
	return made;
}

/* RFC 7386: from -> to. */
static json_t *patch_of(const json_t *from, const json_t *to)
{
	json_t *made = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)from, key, value)
		if (!json_object_get(to, key))
			json_object_set_new(made, key, json_null());
	json_object_foreach((json_t *)to, key, value) {
		const json_t *was = json_object_get(from, key);

		if (was && json_equal(was, value))
			continue;
		if (json_is_object(was) && json_is_object(value))
			json_object_set_new(made, key, patch_of(was, value));
		else
			json_object_set(made, key, value);
	}
	return made;
}

json_t *adopt_patch(const json_t *template, const json_t *deployed, const json_t *observed)
{
	json_t *to = become(template, deployed, observed), *patch = patch_of(template, to);
	json_t *shown = diff_without_secrets(patch);

	json_decref(to);
	json_decref(patch);
	return shown;
}
