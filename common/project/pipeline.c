/* pipeline – see pipeline.h. */
#include "config.h"

#include "common/project/pipeline.h"

#include <ctype.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

/* PEP 440's canonical forms: N(.N)* with an optional a, b, rc, .post or .dev part. */
static bool version_part(const char **p, struct buf *out)
{
	const char *at = *p;

	if (!isdigit((unsigned char)*at))
		return false;
	while (*at == '0' && isdigit((unsigned char)at[1]))
		at++;				/* 01 is 1 */
	while (isdigit((unsigned char)*at))
		buf_addch(out, *at++);
	*p = at;
	return true;
}

static bool version_canonical(const char *v, struct buf *out)
{
	static const char *const suffixes[] = { "a", "b", "rc", ".post", ".dev" };

	if (*v == 'v' || *v == 'V')
		v++;
	if (!version_part(&v, out))
		return false;
	while (*v == '.' && isdigit((unsigned char)v[1])) {
		buf_addch(out, *v++);
		if (!version_part(&v, out))
			return false;
	}
	for (size_t i = 0; i < PS_NELEM(suffixes); i++) {
		if (!ps_starts(v, suffixes[i]))
			continue;
		buf_adds(out, suffixes[i]);
		v += strlen(suffixes[i]);
		if (!version_part(&v, out))
			return false;
	}
	return !*v;
}

char *pipeline_wheel(const char *name, const char *version)
{
	struct buf out = BUF_INIT;
	bool joined = false;

	for (; *name; name++) {
		bool keep = isalnum((unsigned char)*name) || *name == '.';

		if (keep)
			buf_addch(&out, *name);
		else if (!joined)
			buf_addch(&out, '_');	/* a run of anything else */
		joined = !keep;
	}
	buf_addch(&out, '-');
	if (out.len == 1 || !version_canonical(version, &out)) {
		buf_clear(&out);
		return NULL;
	}
	buf_adds(&out, "-py3-none-any.whl");
	return buf_steal(&out);
}

/* Where instances lie in a pipeline's folder. */
static const struct place_of { const char *path; bool deep; } places[] = {
	{ "code/configs/resources", false }, { "code/src/main/resources", true },
};

static void add_instance(struct pipeline_instances *out, const struct tree_entry *e,
			 const char *below)
{
	struct pipeline_instance *to;

	out->v = xgrow(out->v, out->n, &out->cap, sizeof(*out->v));
	to = &out->v[out->n++];
	to->name = xstrndup(e->name, strlen(e->name) - strlen(".json"));
	to->path = fs_join(below, e->name);
	memcpy(to->oid, e->oid, sizeof(to->oid));
}

static bool is_file(const struct tree_entry *e, const char *end)
{
	return (e->kind == TREE_FILE || e->kind == TREE_EXEC) && ps_ends(e->name, end);
}

static bool holds_defaults(const struct tree_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_file(&l->v[i], ".conf"))
			return true;
	return false;
}

/* One folder below a place, depth counted from it: the place itself, 0, holds none. */
static int add_json_of(struct tree *t, const char *folder, const char *below, unsigned depth,
		       bool deep, struct pipeline_instances *out, struct ps_err *err)
{
	enum { DEPTH = 32 };
	char *dir = fs_join(folder, below);
	struct tree_list l = { NULL, 0 };
	int rc = depth || tree_is_dir(t, dir) ? tree_list(t, dir, &l, err) : 0;
	bool here = depth && (!deep || ps_ends(below, "/config") || holds_defaults(&l));

	free(dir);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct tree_entry *e = &l.v[i];
		char *sub;

		if (here && is_file(e, ".json"))
			add_instance(out, e, below);
		if (e->kind != TREE_DIR || depth == (deep ? DEPTH : 1))
			continue;
		sub = fs_join(below, e->name);
		rc = add_json_of(t, folder, sub, depth + 1, deep, out, err);
		free(sub);
	}
	tree_list_clear(&l);
	return rc;
}

static int by_name(const void *pa, const void *pb)
{
	const struct pipeline_instance *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);

	return c ? c : strcmp(a->path, b->path);
}

int pipeline_instances(struct tree *t, const char *folder, struct pipeline_instances *out,
		       struct ps_err *err)
{
	int rc = 0;

	*out = (struct pipeline_instances) { NULL, 0, 0 };
	for (size_t i = 0; i < PS_NELEM(places) && rc == 0; i++)
		rc = add_json_of(t, folder, places[i].path, 0, places[i].deep, out, err);
	if (rc < 0)
		pipeline_instances_clear(out);
	else if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	return rc;
}

void pipeline_instances_clear(struct pipeline_instances *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].name);
		free(l->v[i].path);
	}
	free(l->v);
	*l = (struct pipeline_instances) { NULL, 0, 0 };
}

bool pipeline_has_instance(const struct pipeline_instances *l, const char *name)
{
	bool way = strchr(name, '/') != NULL;

	for (size_t i = 0; i < l->n; i++) {
		const char *path = l->v[i].path;
		size_t n = strlen(path) - strlen(".json"), named = strlen(name);

		if (way ? n > named && path[n - named - 1] == '/' &&
				memcmp(path + n - named, name, named) == 0
			: strcmp(l->v[i].name, name) == 0)
			return true;
	}
	return false;
}

bool pipeline_instance_is_default(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strcmp(slash ? slash + 1 : name, "default") == 0;
}
