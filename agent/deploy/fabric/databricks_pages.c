/* databricks_pages – answers that come page after page. */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

enum { PAGES_MAX = 1000, FIELDS_MAX = 4 };

int dbx_pages(struct dbx *d, const char *path, const struct http_field *query,
	      void (*take)(void *arg, json_t *page), void *arg, struct ps_err *err)
{
	struct http_field with[FIELDS_MAX + 2] = { { NULL, NULL } };
	char *token = NULL;
	size_t n = 0;
	int rc = 0;

	for (; query[n].name; n++) {
		PS_BUG_IF(n == FIELDS_MAX, "%s is asked with more fields than that", path);
		with[n] = query[n];
	}
	for (int page = 0; rc == 0 && (page == 0 || token); page++) {
		struct dbx_said s;

		if (page == PAGES_MAX) {
			rc = ps_err_set(err, PS_ELIMIT, "%s: the answer has more than %d pages",
					path, PAGES_MAX);
			break;
		}
		with[n] = (struct http_field){ token ? "page_token" : NULL, token };
		rc = dbx_ask(d,
			     &(struct dbx_ask){ .path = path, .query = with, .repeatable = true },
			     &s, err);
		if (rc == 0)
			take(arg, s.doc);
		free(token);
		token = xstrdup_null(json_string_value(json_object_get(s.doc, "next_page_token")));
		dbx_said_clear(&s);
	}
	free(token);
	return rc;
}

struct whole {
	const char *member;
	json_t *all;
};

static json_t *lists_of(const struct whole *w, json_t *page)
{
	return w->member ? json_object_get(page, w->member) : page;
}

/* Appends what a later page has of each list; a list with nothing left is empty there. */
static void add_page(void *arg, json_t *page)
{
	struct whole *w = arg;
	const char *key;
	json_t *v;

	if (!w->all) {
		w->all = json_incref(page);
		return;
	}
	json_object_foreach(lists_of(w, page), key, v)
	{
		json_t *to = json_object_get(lists_of(w, w->all), key);

		if (json_is_array(v) && json_is_array(to))
			json_array_extend(to, v);
		else if (json_is_array(v))
			json_object_set(lists_of(w, w->all), key, v);
	}
}

int dbx_whole(struct dbx *d, const char *path, const struct http_field *query, const char *member,
	      json_t **whole, struct ps_err *err)
{
	struct whole w = { member, NULL };
	int rc = dbx_pages(d, path, query, add_page, &w, err);

	if (rc == 0)
		*whole = w.all;
	else
		json_decref(w.all);
	return rc;
}
