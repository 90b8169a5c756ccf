/* diff – see diff.h. Objects are walked by key; lists of objects that name themselves (task_key,
 * job_cluster_key) by that name, since a task that moves has not changed; other lists are one
 * value. */
#include "config.h"

#include "common/plan/diff.h"

#include "common/base/buf.h"
#include "common/plan/canon.h"

enum { DIFF_MAX = 200, DIFF_TEXT = 80 };

/* Does a member of this name hold what nobody should read in a plan? What only names a place for
 * it ({{secrets/scope/key}}) may be read. */
static bool is_secret(const char *key, const json_t *v)
{
	static const char *const words[] = { "password", "secret",	"token",
					     "credential", "access_key", "account.key",
					     "private_key", "api_key" };
	const char *text = json_string_value(v);

	if (!text || ps_starts(text, "{{secrets/"))
		return false;
	for (size_t i = 0; i < PS_NELEM(words); i++)
		if (strcasestr(key, words[i]))
			return true;
	return false;
}

json_t *diff_without_secrets(const json_t *v)
{
	json_t *o = (json_t *)v, *made;

	if (json_is_array(v)) {
		made = json_array();
		for (size_t i = 0; i < json_array_size(v); i++)
			json_array_append_new(made, diff_without_secrets(json_array_get(v, i)));
		return made;
	}
	if (!json_is_object(v))
		return json_incref(o);
	made = json_object();
	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		const char *key = json_object_iter_key(it);
		const json_t *value = json_object_iter_value(it);

		json_object_set_new(made, key, is_secret(key, value)
						       ? json_string("(not shown)")
						       : diff_without_secrets(value));
	}
	return made;
}

static char *brief(const json_t *v)
{
	struct buf b = BUF_INIT;
	json_t *shown;

	if (!v)
		return xstrdup("");
	shown = diff_without_secrets(v);
	if (canon_write_any(shown, &b, NULL) < 0)
		buf_adds(&b, "?");
	json_decref(shown);
	if (b.len > DIFF_TEXT) {
		size_t n = DIFF_TEXT - 3;

		while (n && ((unsigned char)b.data[n] & 0xc0) == 0x80) /* not within a character */
			n--;
		b.len = n;
		buf_adds(&b, "...");
	}
	return buf_steal(&b);
}

static void add_texts(struct plan_job *j, const char *path, char *was, char *is)
{
	if (j->nfields >= DIFF_MAX) {
		free(was);
		free(is);
		return;
	}
	j->fields = xrealloc(j->fields, (j->nfields + 1) * sizeof(*j->fields));
	j->fields[j->nfields++] = (struct plan_field) { xstrdup(path), was, is };
}

static void add_field(struct plan_job *j, const char *path, const json_t *was, const json_t *is)
{
	add_texts(j, path, brief(was), brief(is));
}

static char *hidden(const json_t *v, const char *as)
{
	return xstrdup(v ? as : "");
}

static void diff_value(struct plan_job *j, const char *path, const json_t *was, const json_t *is);

/* Walks the keys of both, which are sorted, as one list. open and close stand around a key. */
static void diff_object(struct plan_job *j, const char *path, const char *open, const char *close,
			const json_t *was, const json_t *is)
{
	size_t nwas, nis, a = 0, b = 0;
	const char **had = canon_keys(was, &nwas), **has = canon_keys(is, &nis);

	while (a < nwas || b < nis) {
		int cmp = a == nwas ? 1 : b == nis ? -1 : strcmp(had[a], has[b]);
		const char *key = cmp <= 0 ? had[a] : has[b];
		char *sub = xasprintf("%s%s%s%s", path, *path ? open : "", key, close);
		const json_t *from = json_object_get(was, key), *to = json_object_get(is, key);

		if (!is_secret(key, from) && !is_secret(key, to))
			diff_value(j, sub, from, to);
		else if (!from || !to || !json_equal(from, to))
			add_texts(j, sub, hidden(from, "(not shown)"),
				  hidden(to, "(changed, not shown)"));
		free(sub);
		a += cmp <= 0;
		b += cmp >= 0;
	}
	free(had);
	free(has);
}

/* The list as an object by the name its members give themselves; NULL when they do not, or not
 * once. */
static json_t *by_name(const json_t *list)
{
	static const char *const names[] = { "task_key", "job_cluster_key" };

	for (size_t k = 0; json_array_size(list) && k < PS_NELEM(names); k++) {
		json_t *o = json_object();

		for (size_t i = 0; i < json_array_size(list); i++) {
			json_t *v = json_array_get(list, i);
			const char *name = json_string_value(json_object_get(v, names[k]));

			if (name)
				json_object_set(o, name, v);
		}
		if (json_object_size(o) == json_array_size(list))
			return o;
		json_decref(o);
	}
	return NULL;
}

static void diff_value(struct plan_job *j, const char *path, const json_t *was, const json_t *is)
{
	json_t *a, *b;

	if (was && is && json_equal(was, is))
		return;
	if (json_is_object(was) && json_is_object(is)) {
		diff_object(j, path, ".", "", was, is);
		return;
	}
	a = json_is_array(was) ? by_name(was) : NULL;
	b = json_is_array(is) ? by_name(is) : NULL;
	if (a && b)
		diff_object(j, path, "[", "]", a, b);
	else
		add_field(j, path, was, is);
	json_decref(a);
	json_decref(b);
}

void diff_documents(struct plan_job *j, const char *was, size_t nwas, const char *is, size_t nis)
{
	json_t *a = NULL, *b = NULL;

	/* What was deployed was written by us; if it cannot be read, the job is changed without
	 * fields. */
	if (canon_read(&a, was, nwas, j->key, NULL) == 0 &&
	    canon_read(&b, is, nis, j->key, NULL) == 0)
		diff_value(j, "", a, b);
	json_decref(a);
	json_decref(b);
}
