/* brought – see brought.h. */
#include "config.h"

#include "common/plan/brought.h"

#include "common/base/fsutil.h"
#include "common/plan/render.h"

static const struct {
	const char *component, *what, *path, *content;
} kinds[] = {
	{ "ScriptComponent", "script", "path", "content" },
	{ "DBTComponent", "dbt script", "path", "content" },
	{ "DBTComponent", "dbt profile", "profilePath", "profileContent" },
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

static void fill(const json_t *body, size_t kind, struct brought *out)
{
	*out = (struct brought){
		.what = kinds[kind].what,
		.node = text_of(body, "nodeName"),
		.given = text_of(body, kinds[kind].path),
		.content = text_of(body, kinds[kind].content),
	};
	out->path = render_artifact_path(out->given);
	if (out->path && !fs_is_clean_relative(out->path))
		out->path = NULL;
	out->replace = out->path && has_no_version(out->path);
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
	return false;
}
