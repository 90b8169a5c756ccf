/* project – see project.h. */
#include "config.h"

#include "common/project/project.h"

#include "common/base/fsutil.h"

/* What is looked for, and where. */
struct search { struct project_paths *out; const char *within; };

static bool at_or_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !n || (strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/'));
}

static int found(void *arg, const char *path, const struct tree_entry *e, struct ps_err *err)
{
	const struct search *s = arg;
	struct project_paths *out = s->out;
	size_t len = strlen(path), tail = strlen(PROJECT_FILE);

	if (e->kind == TREE_DIR && !at_or_below(path, s->within) && !at_or_below(s->within, path))
		/* beside the way: build folders that change while we look */
		return TREE_SKIP;
	if (e->kind == TREE_DIR)
		return strcmp(e->name, ".prophecy") == 0 ? TREE_SKIP : 0;
	if ((e->kind != TREE_FILE && e->kind != TREE_EXEC) || strcmp(e->name, PROJECT_FILE) != 0 ||
	    !at_or_below(path, s->within))
		return 0;
	if (out->n == PROJECTS_MAX)
		return ps_err_set(err, PS_ELIMIT, "more than %d projects in one tree",
				  PROJECTS_MAX);
	out->v = xgrow(out->v, out->n, &out->cap, sizeof(char *));
	out->v[out->n++] = len == tail ? xstrdup(".") : xstrndup(path, len - tail - 1);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int project_find(struct tree *t, const char *within, struct project_paths *out, struct ps_err *err)
{
	struct search s = { out, within };
	int rc;

	*out = (struct project_paths) { NULL, 0, 0 };
	rc = tree_walk(t, "", found, &s, err);
	if (rc < 0)
		project_paths_clear(out);
	else if (out->n > 1)
		qsort(out->v, out->n, sizeof(char *), by_text);
	return rc;
}

void project_paths_clear(struct project_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct project_paths) { NULL, 0, 0 };
}

char *project_at(const char *project, const char *relative)
{
	return strcmp(project, ".") == 0 ? xstrdup(relative) : fs_join(project, relative);
}

bool project_is_pointer(const struct buf *bytes)
{
	/* the specification's limit; files that only begin so are longer */
	return bytes->len < 1024 && ps_starts(buf_str(bytes),
					      "version https://git-lfs.github.com/spec/");
}

int project_read(struct tree *t, const char *path, struct project *out, struct ps_err *err)
{
	int rc;

	*out = (struct project) { .path = xstrdup(path), .file = project_at(path, PROJECT_FILE) };
	rc = tree_read(t, out->file, PS_YAML_MAX, &out->bytes, err);
	if (rc == PS_ELIMIT) {
		out->rc = rc;
		snprintf(out->fault.text, sizeof(out->fault.text), "larger than %d bytes",
			 PS_YAML_MAX);
		return 0;
	}
	if (rc < 0) {
		project_clear(out);
		return rc;
	}
	if (project_is_pointer(&out->bytes)) {
		out->rc = PS_ENOTSUP;
		out->fault = (struct doc_fault) { .at = { 1, 1 }, .text = PROJECT_POINTER };
		return 0;
	}
	out->rc = doc_yaml(&out->doc, buf_str(&out->bytes), out->bytes.len, &out->fault);
	return 0;
}

void project_clear(struct project *p)
{
	doc_free(p->doc);
	buf_clear(&p->bytes);
	free(p->path);
	free(p->file);
	*p = (struct project) { .path = NULL };
}

const struct doc_pair *project_next(const struct project *p, enum project_kind kind, size_t *i)
{
	const struct doc_node *map = p->doc ?
		doc_get(p->doc->root, kind == PROJECT_JOBS ? "jobs" : "pipelines") : NULL;

	for (; doc_is(map, DOC_MAP) && *i < map->n && *i < PROJECT_ENTRIES_MAX; (*i)++) {
		const struct doc_pair *pair = &map->pairs[*i];

		if (!doc_string(pair->key) || pair->hidden)
			continue;
		(*i)++;
		return pair;
	}
	return NULL;
}

bool project_key_is_safe(const struct doc_node *key)
{
	return doc_string(key) && fs_is_clean_relative(key->text);
}
