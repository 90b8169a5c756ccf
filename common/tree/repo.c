/* repo – see repo.h. Opening, and what both ways of reading a repository (repo_git.h) share. */
#include "config.h"

#include "common/tree/repo_git.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"

static bool owners_trusted;

bool repo_oid_is_zero(const char *oid)
{
	return strspn(oid, "0") == strlen(oid);
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

/* ---- opening ---- */

enum { TREE_CACHED_MAX = 4 << 20 };

/*
 * libgit2 reads every certificate of the machine when it starts, which is most of what a short
 * `penstock check` would do. Nothing here fetches: this takes the place of the reader in the
 * library that libgit2 uses for TLS, and says that there are none. Without it all is as well.
 */
__attribute__((visibility("default")))
int mbedtls_x509_crt_parse_file(void *chain, const char *path);

int mbedtls_x509_crt_parse_file(void *chain, const char *path)
{
	(void)chain;
	(void)path;
	return -1;
}

static int start_library(struct ps_err *err)
{
	static bool started;

	if (started)
		return 0;
	if (late_git_load(err) < 0)
		return PS_EIO;
	started = true;
	git_libgit2_init();
	/* refs and config that we write are synced: a keep ref must survive a power loss */
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	/* objects come from strangers, but git itself has checked what it took in */
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
	/* folders stay parsed whatever their size: every path below leads through them again */
	git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_TREE, (size_t)TREE_CACHED_MAX);
	/* only the repository's own config: neither the caller's nor the machine's may steer us */
	for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL; level++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
	return 0;
}

void repo_trust_owners(void)
{
	owners_trusted = true;
}

/* Before each opening, as owners may be trusted from then on. */
static int library(struct ps_err *err)
{
	int rc = start_library(err);

	if (rc == 0 && owners_trusted)
		git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	return rc;
}

/* The folder that the work trees of a repository share, '/' at the end. */
static char *common_dir(const char *gitdir)
{
	char *file = xasprintf("%s/commondir", gitdir), *dir = NULL;
	struct buf text = BUF_INIT;

	if (access(file, F_OK) == 0 && fs_read(&text, AT_FDCWD, file, PATH_MAX, NULL) == 0) {
		text.data[strcspn(text.data, "\n")] = '\0';
		dir = *text.data == '/' ? xasprintf("%s/", text.data) :
			xasprintf("%s/%s/", gitdir, text.data);
	}
	buf_clear(&text);
	free(file);
	return dir ? dir : xasprintf("%s/", gitdir);
}

int repo_config(struct repo *r, git_config **out)
{
	char *file = r->config ? NULL : xasprintf("%sconfig", r->dir);
	int rc = file ? git_config_open_ondisk(&r->config, file) : 0;

	free(file);
	*out = r->config;
	return rc;
}

/* libgit2 1.5 knows SHA-1 alone and says so in words that differ by version: look ourselves. */
static bool is_sha256(struct repo *r)
{
	char *file = xasprintf("%sconfig", r->dir);
	git_config *cfg;
	git_buf b = { 0 };
	bool yes = access(file, R_OK) == 0 && repo_config(r, &cfg) == 0 &&
		git_config_get_string_buf(&b, cfg, "extensions.objectformat") == 0 &&
		strcmp(b.ptr, "sha256") == 0;

	git_buf_dispose(&b);
	free(file);
	return yes;
}

/* As libgit2 checks it for those that it opens. */
static int check_owner(const struct repo *r, struct ps_err *err)
{
	struct stat st;

	if (stat(r->dir, &st) < 0)
		return ps_err_errno(err, "cannot open the repository '%s'", r->dir);
	return owners_trusted || st.st_uid == geteuid() ? 0 :
		ps_err_set(err, PS_EPERM, "the repository '%s' is owned by another user", r->dir);
}

static int open_with(struct repo **out, const char *path, const char *gitdir, unsigned flags,
		     const struct repo_quarantine *q, struct ps_err *err)
{
	struct repo *r = xcalloc(1, sizeof(*r));
	int rc;

	r->own = xstrdup(gitdir);
	r->dir = common_dir(gitdir);
	r->digits = is_sha256(r) ? PS_OID_HEX_MAX : GIT_OID_HEXSZ;
	if (r->digits == GIT_OID_HEXSZ) {
		rc = repo_lib_open(r, path, flags, q, err);
	} else {
		rc = check_owner(r, err);
		if (rc == 0)
			rc = repo_cmd_open(r, gitdir, q, err);
	}
	if (rc < 0)
		repo_close(r);
	else
		*out = r;
	return rc;
}

int repo_open(struct repo **out, const char *path, const struct repo_quarantine *q,
	      struct ps_err *err)
{
	char *inner = xasprintf("%s/.git", path), *gitdir = NULL;
	struct stat st;
	int rc = library(err);

	if (stat(inner, &st) == 0 && S_ISDIR(st.st_mode))
		gitdir = inner;
	if (rc == 0)
		rc = open_with(out, path, gitdir ? gitdir : path, GIT_REPOSITORY_OPEN_NO_SEARCH, q,
			       err);
	free(inner);
	return rc;
}

int repo_discover(struct repo **out, const char *path, char **top, struct ps_err *err)
{
	git_buf found = GIT_BUF_INIT;
	int rc = library(err);

	if (rc < 0)
		return rc;
	rc = git_repository_discover(&found, path, 1, NULL);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot open the repository '%s'", path);
	if (found.size > 1 && found.ptr[found.size - 1] == '/')
		found.ptr[found.size - 1] = '\0';
	rc = open_with(out, path, found.ptr, GIT_REPOSITORY_OPEN_CROSS_FS, NULL, err);
	git_buf_dispose(&found);
	if (rc == 0 && top) {
		const char *dir = (*out)->git ? git_repository_workdir((*out)->git) : NULL;

		*top = (*out)->git ? xstrdup_null(dir) : repo_cmd_top(path);
		if (*top && ps_ends(*top, "/") && (*top)[1])
			(*top)[strlen(*top) - 1] = '\0';
	}
	return rc;
}

void repo_close(struct repo *r)
{
	if (!r)
		return;
	if (r->ops)
		r->ops->close(r);
	git_config_free(r->config);
	free(r->own);
	free(r->dir);
	free(r);
}

const char *repo_gitdir(const struct repo *r)
{
	return r->own;
}

/* ---- objects ---- */

static int check_oid(const struct repo *r, const char *hex, struct ps_err *err)
{
	return digest_is_hex(hex, r->digits) ? 0 :
		ps_err_set(err, PS_EINVAL, "'%.70s' is not an object name", hex);
}

int repo_peel(struct repo *r, const char *oid, struct repo_peeled *out, struct ps_err *err)
{
	int rc = check_oid(r, oid, err);

	*out = (struct repo_peeled) { "", "" };
	return rc < 0 ? rc : r->ops->peel(r, oid, out, err);
}

int repo_rev(struct repo *r, const char *rev, char *oid, struct ps_err *err)
{
	return r->ops->rev(r, rev, oid, err);
}

int repo_tree(struct tree **out, struct repo *r, const char *tree_oid, struct ps_err *err)
{
	int rc = check_oid(r, tree_oid, err);

	return rc < 0 ? rc : r->ops->tree(out, r, tree_oid, err);
}

int repo_is_ancestor(struct repo *r, const char *old, const char *new, bool *yes,
		     struct ps_err *err)
{
	int rc = check_oid(r, old, err);

	if (rc == 0)
		rc = check_oid(r, new, err);
	*yes = rc == 0 && strcmp(old, new) == 0;
	return rc < 0 || *yes ? rc : r->ops->is_ancestor(r, old, new, yes, err);
}

int repo_nearest_held(struct repo *r, const char *oid, const char *except, char *held, bool *found,
		      struct ps_err *err)
{
	struct repo_peeled p;
	int rc = repo_peel(r, oid, &p, err);

	*found = false;
	return rc < 0 || !*p.commit ? rc :
		r->ops->nearest_held(r, p.commit, except, held, found, err);
}

/* ---- refs ---- */

void repo_ref_clear(struct repo_ref *ref)
{
	PS_FREE(ref->name);
}

int repo_ref_read(struct repo *r, const char *name, struct repo_ref *out, struct ps_err *err)
{
	*out = (struct repo_ref) { .name = NULL };
	memset(out->oid, '0', r->digits);
	return r->ops->ref_read(r, name, out, err);
}

int repo_upstream(struct repo *r, char **here, char **there, struct ps_err *err)
{
	return r->ops->upstream(r, here, there) < 0 ?
		ps_err_set(err, PS_ENOENT, "there is no upstream branch") : 0;
}

struct repo_ref *repo_refs_add(struct repo_refs *l, size_t *cap, const char *name)
{
	l->v = xgrow(l->v, l->n, cap, sizeof(*l->v));
	l->v[l->n] = (struct repo_ref) { .name = xstrdup(name) };
	return &l->v[l->n++];
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct repo_ref *)a)->name, ((const struct repo_ref *)b)->name);
}

int repo_refs_list(struct repo *r, struct repo_refs *out, struct ps_err *err)
{
	int rc;

	*out = (struct repo_refs) { NULL, 0 };
	rc = r->ops->refs_list(r, out, err);
	if (rc < 0)
		repo_refs_clear(out);
	else if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	return rc;
}

void repo_refs_clear(struct repo_refs *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct repo_refs) { NULL, 0 };
}
