/* repo – see repo.h. Opening, quarantine, peeling. Refs are in repo_refs.c. */
#include "config.h"

#include "common/tree/repo_git.h"

#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"

int repo_git_err(struct ps_err *err, int git_rc, const char *fmt, ...)
{
	const git_error *g = git_error_last();
	int code = git_rc == GIT_ENOTFOUND ? PS_ENOENT : git_rc == GIT_EOWNER ? PS_EPERM :
		git_rc == GIT_ELOCKED ? PS_EBUSY : PS_EIO;
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return ps_err_set(err, code, "%s: %s", what, g &&
			  g->message ? g->message : "no reason given");
}

bool repo_oid_is_zero(const char *oid)
{
	return strspn(oid, "0") == strlen(oid);
}

static void start_library(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	git_libgit2_init();
	/* refs and config that we write are synced: a keep ref must survive a power loss */
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	/* objects come from strangers, but git itself has checked what it took in */
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
	/* only the repository's own config: neither the caller's nor the machine's may steer us */
	for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL; level++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
}

void repo_trust_owners(void)
{
	start_library();
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}

const char *repo_next_alternate(const char *p, struct buf *out)
{
	buf_reset(out);
	if (*p != '"') {
		size_t n = strcspn(p, ":");

		buf_add(out, p, n);
		return p[n] ? p + n + 1 : p + n;
	}
	for (p++; *p && *p != '"'; p++) {
		if (*p != '\\' || !p[1]) {
			buf_addch(out, *p);
		} else if (p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
			buf_addch(out, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 |
					      (p[3] - '0')));
			p += 3;
		} else {
			static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
			const char *at = strchr(from, *++p);

			buf_addch(out, at ? to[at - from] : *p);
		}
	}
	while (*p && *p++ != ':')
		;
	return p;
}

static int add_quarantine(struct repo *r, const struct repo_quarantine *q, struct ps_err *err)
{
	struct buf dir = BUF_INIT;
	int rc = 0;

	if (q->object_dir)
		rc = git_odb_add_disk_alternate(r->odb, q->object_dir);
	for (const char *p = q->alternates; rc == 0 && p && *p;) {
		p = repo_next_alternate(p, &dir);
		if (dir.len && access(buf_str(&dir), F_OK) == 0)
			rc = git_odb_add_disk_alternate(r->odb, buf_str(&dir));
	}
	buf_clear(&dir);
	return rc < 0 ? repo_git_err(err, rc, "cannot add the quarantine '%s'", q->object_dir) : 0;
}

/* libgit2 1.5 knows SHA-1 alone and says so in words that differ by version: look ourselves. */
static bool is_sha256(const char *path)
{
	static const char *const files[] = { "config", ".git/config" };
	bool yes = false;

	for (size_t i = 0; i < PS_NELEM(files) && !yes; i++) {
		char *file = xasprintf("%s/%s", path, files[i]), *value = NULL;
		git_config *cfg = NULL;
		git_buf b = { 0 };

		if (access(file, R_OK) == 0 && git_config_open_ondisk(&cfg, file) == 0 &&
		    git_config_get_string_buf(&b, cfg, "extensions.objectformat") == 0)
			yes = strcmp(b.ptr, "sha256") == 0;
		git_buf_dispose(&b);
		git_config_free(cfg);
		free(value);
		free(file);
	}
	return yes;
}

static int open_with(struct repo **out, const char *path, unsigned flags,
		     const struct repo_quarantine *q, struct ps_err *err)
{
	struct repo *r;
	int rc;

	start_library();
	if (is_sha256(path))
		return ps_err_set(err, PS_ENOTSUP,
				  "'%s' keeps SHA-256 objects, which this version cannot "
				  "read; a repository with SHA-1 objects is needed", path);
	r = xcalloc(1, sizeof(*r));
	rc = git_repository_open_ext(&r->git, path, flags, NULL);
	if (rc == 0)
		rc = git_repository_odb(&r->odb, r->git);
	if (rc < 0)
		rc = repo_git_err(err, rc, "cannot open the repository '%s'", path);
	else if (q)
		rc = add_quarantine(r, q, err);
	if (rc < 0)
		repo_close(r);
	else
		*out = r;
	return rc;
}

int repo_open(struct repo **out, const char *path, const struct repo_quarantine *q,
	      struct ps_err *err)
{
	return open_with(out, path, GIT_REPOSITORY_OPEN_NO_SEARCH, q, err);
}

int repo_discover(struct repo **out, const char *path, char **top, struct ps_err *err)
{
	int rc = open_with(out, path, GIT_REPOSITORY_OPEN_CROSS_FS, NULL, err);

	if (rc == 0 && top) {
		const char *dir = git_repository_workdir((*out)->git);

		*top = dir ? xstrdup(dir) : NULL;
		if (*top && ps_ends(*top, "/") && (*top)[1])
			(*top)[strlen(*top) - 1] = '\0';
	}
	return rc;
}

void repo_close(struct repo *r)
{
	if (!r)
		return;
	git_odb_free(r->odb);
	git_repository_free(r->git);
	free(r);
}

static int to_oid(git_oid *out, const char *hex, struct ps_err *err)
{
	if (!digest_is_hex(hex, GIT_OID_HEXSZ) || git_oid_fromstr(out, hex) < 0)
		return ps_err_set(err, PS_EINVAL, "'%.70s' is not an object name", hex);
	return 0;
}

int repo_peel(struct repo *r, const char *hex, struct repo_peeled *out, struct ps_err *err)
{
	git_object *obj = NULL, *next = NULL;
	git_oid oid;
	int rc = to_oid(&oid, hex, err);

	*out = (struct repo_peeled) { "", "" };
	if (rc < 0)
		return rc;
	rc = git_object_lookup(&obj, r->git, &oid, GIT_OBJECT_ANY);
	if (rc == 0 && git_object_type(obj) == GIT_OBJECT_TAG) {
		/* the first that is no tag */
		rc = git_object_peel(&next, obj, GIT_OBJECT_ANY);
		git_object_free(obj);
		obj = next;
		next = NULL;
	}
	if (rc == 0 && git_object_type(obj) == GIT_OBJECT_BLOB) {
		git_object_free(obj);
		return ps_err_set(err, PS_EINVAL, "%.12s leads to a blob, not to a tree", hex);
	}
	if (rc == 0 && git_object_type(obj) == GIT_OBJECT_COMMIT)
		git_oid_tostr(out->commit, sizeof(out->commit), git_object_id(obj));
	if (rc == 0)
		rc = git_object_peel(&next, obj, GIT_OBJECT_TREE);
	if (rc == 0)
		git_oid_tostr(out->tree, sizeof(out->tree), git_object_id(next));
	git_object_free(next);
	git_object_free(obj);
	return rc < 0 ? repo_git_err(err, rc, "cannot read object %.12s", hex) : 0;
}

int repo_rev(struct repo *r, const char *rev, char *oid, struct ps_err *err)
{
	git_object *obj = NULL;
	int rc = git_revparse_single(&obj, r->git, rev);

	if (rc < 0)
		return repo_git_err(err, rc, "'%s' names nothing in this repository", rev);
	git_oid_tostr(oid, TREE_OID, git_object_id(obj));
	git_object_free(obj);
	return 0;
}

int repo_is_ancestor(struct repo *r, const char *old, const char *new, bool *yes,
		     struct ps_err *err)
{
	git_oid a, b;
	int rc = to_oid(&a, old, err);

	if (rc == 0)
		rc = to_oid(&b, new, err);
	if (rc < 0)
		return rc;
	*yes = git_oid_equal(&a, &b);
	if (*yes)
		return 0;
	rc = git_graph_descendant_of(r->git, &b, &a);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot compare %.12s and %.12s", old, new);
	*yes = rc == 1;
	return 0;
}
