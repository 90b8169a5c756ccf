/* brought – see brought.h. */
#include "config.h"

#include "common/plan/brought.h"

#include "common/base/fsutil.h"
#include "common/plan/render.h"

static const struct {
	const char *component, *what, *path, *content;
} kinds[] = {
	{ "ScriptComponent", "the script of", "path", "content" },
	{ "DBTComponent", "the dbt script of", "path", "content" },
	{ "DBTComponent", "the dbt profile of", "profilePath", "profileContent" },
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* prophecy/artifacts/CUSTOMER/PLANE/PROJECT/VERSION/...: is the version none? */
static bool has_no_version(const char *path)
{
	for (int i = 0; i < 5 && path; i++) {
		path = strchr(path, '/');
		path = path ? path + 1 : NULL;
	}
	return path && ps_starts(path, "latest/");
}

/* Where it goes, of what is given. */
static void place(struct brought *out)
{
	out->path = render_artifact_path(out->given);
	if (out->path && !fs_is_clean_relative(out->path))
		out->path = NULL;
	out->replace = out->path && has_no_version(out->path);
}

static void fill(const json_t *body, size_t kind, struct brought *out)
{
	*out = (struct brought){
		.what = kinds[kind].what,
		.node = text_of(body, "nodeName"),
		.given = text_of(body, kinds[kind].path),
		.content = text_of(body, kinds[kind].content),
	};
	place(out);
}

/* The member's name is the path, its value the text. */
static bool configuration_nth(const json_t *doc, size_t n, struct brought *out)
{
	json_t *all = json_object_get(json_object_get(doc, RENDER_OWN), RENDER_CONFIGURATIONS);

	for (void *it = json_object_iter(all); it; it = json_object_iter_next(all, it)) {
		const char *text = json_string_value(json_object_iter_value(it)), *name;

		if (!text || n--)
			continue;
		name = strstr(json_object_iter_key(it), "/configurations/");
		*out = (struct brought){
			.what = "the configuration file",
			.node = name ? name + strlen("/configurations/") : json_object_iter_key(it),
			.given = json_object_iter_key(it),
			.content = text,
		};
		place(out);
		return true;
	}
	return false;
}

bool brought_nth(const json_t *doc, size_t n, struct brought *out)
{
	const json_t *components = json_object_get(doc, "components");

	for (size_t i = 0; i < json_array_size(components); i++)
		for (size_t k = 0; k < PS_NELEM(kinds); k++) {
			const json_t *body = json_object_get(json_array_get(components, i),
							     kinds[k].component);

			if (*text_of(body, kinds[k].path) &&
			    json_is_string(json_object_get(body, kinds[k].content)) && n-- == 0) {
				fill(body, k, out);
				return true;
			}
		}
	return configuration_nth(doc, n, out);
}
