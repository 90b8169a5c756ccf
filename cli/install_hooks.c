/*
 * install_hooks – links, the kept hooks and penstock.hook: put and taken out; see install.h.
 *
 * A foreign hook and our link change places in one rename, so no push meets a repository without
 * either of them.
 */
#include "config.h"

#include "cli/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fsutil.h"

static const char kept_name[] = "../penstock.kept", bearings_name[] = "penstock.hook";
/* kept for a folder that was not there */
static const struct timespec no_time;
/* below repo/hooks: by this the agent knows a repository of GitLab as bound */
static const char gitlab_mark[] = "../hooks/penstock.hook";

/* As root: what we make belongs to whoever the folder belongs to. */
static int give(const struct site *s, int dir, const char *name, struct ps_err *err)
{
	if (geteuid() != 0 || fchownat(dir, name, s->dir_st.st_uid, s->dir_st.st_gid,
				       AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return ps_err_errno(err, "cannot give '%s/%s' its owner", s->hooks, name);
}

static int link_to(const struct site *s, const char *program, int dir, const char *name,
		   struct ps_err *err)
{
	char tmp[64];
	int rc = 0;

	fs_tmp_name(tmp, sizeof(tmp));
	if (symlinkat(program, dir, tmp) < 0)
		return ps_err_errno(err, "cannot make a link in '%s'", s->hooks);
	rc = give(s, dir, tmp, err);
	if (rc == 0 && renameat(dir, tmp, dir, name) < 0)
		rc = ps_err_errno(err, "cannot make the link '%s/%s'", s->hooks, name);
	if (rc < 0)
		unlinkat(dir, tmp, 0);
	return rc;
}

/* What is synced is the whole file system, once, by the command. */
static int put_bearings(struct site *s, const char *text, struct ps_err *err)
{
	char tmp[64];
	int fd, rc;

	fs_tmp_name(tmp, sizeof(tmp));
	fd = openat(s->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return ps_err_errno(err, "cannot write in '%s'", s->hooks);
	rc = fs_write_all(fd, text, strlen(text), err);
	if (rc == 0 && fchmod(fd, 0644) < 0)		/* whatever the umask */
		rc = ps_err_errno(err, "cannot open '%s/%s' to all", s->hooks, bearings_name);
	close(fd);
	if (rc == 0)
		rc = give(s, s->dir, tmp, err);
	if (rc == 0 && renameat(s->dir, tmp, s->dir, bearings_name) < 0)
		rc = ps_err_errno(err, "cannot write '%s/%s'", s->hooks, bearings_name);
	if (rc < 0)
		unlinkat(s->dir, tmp, 0);
	return rc;
}

/* ---- the folder of kept hooks ---- */

static bool is_event(const struct site *s, const char *name)
{
	for (size_t i = 0; i < SITE_HOOKS; i++)
		if (strcmp(s->hook[i].name, name) == 0)
			return true;
	return false;
}

/* A kept hook finds beside itself what it found before: libraries, settings, NAME.d. */
static int link_siblings(const struct site *s, int kept, struct ps_err *err)
{
	const char *folder = strrchr(s->hooks, '/') + 1;
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!list)
		return ps_err_errno(err, "cannot read '%s'", s->hooks);
	while (rc == 0 && (e = readdir(list))) {
		const char *n = e->d_name;
		char *target;

		if (strcmp(n, ".") == 0 || strcmp(n, "..") == 0 || is_event(s, n) ||
		    ps_starts(n, ".tmp-") || ps_ends(n, ".sample") ||
		    strcmp(n, bearings_name) == 0)
			continue;
		target = xasprintf("../%s/%s", folder, n);
		if (symlinkat(target, kept, n) < 0 && errno != EEXIST)
			rc = ps_err_errno(err, "cannot make a link in 'penstock.kept'");
		free(target);
		if (rc == 0)
			rc = give(s, kept, n, err);
	}
	closedir(list);
	return rc;
}

static int open_kept(const struct site *s, struct ps_err *err)
{
	int fd, rc;

	if (mkdirat(s->dir, kept_name, 0755) < 0 && errno != EEXIST)
		return ps_err_errno(err, "cannot make 'penstock.kept' beside '%s'", s->hooks);
	fd = openat(s->dir, kept_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	rc = fd < 0 ? ps_err_errno(err, "cannot open 'penstock.kept' beside '%s'", s->hooks) :
		give(s, s->dir, kept_name, err);
	if (rc == 0)
		rc = link_siblings(s, fd, err);
	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* Our link goes where the foreign hook is, and that goes to penstock.kept. */
static int keep_hook(const struct site *s, const struct bearings *b, const char *name,
		     struct ps_err *err)
{
	int kept = open_kept(s, err), rc;

	if (kept < 0)
		return kept;
	rc = link_to(s, b->program, kept, name, err);
	if (rc == 0 && renameat2(kept, name, s->dir, name, RENAME_EXCHANGE) < 0) {
		/* a file system that cannot: one after the other */
		if (errno != EINVAL && errno != ENOSYS)
			rc = ps_err_errno(err, "cannot keep '%s/%s'", s->hooks, name);
		else if (renameat(s->dir, name, kept, name) < 0)
			rc = ps_err_errno(err, "cannot keep '%s/%s'", s->hooks, name);
		else
			rc = link_to(s, b->program, s->dir, name, err);
	}
	close(kept);
	return rc;
}

/* Takes the links to siblings away, and the folder, when no hook is in it any more. */
static void clear_kept(const struct site *s)
{
	const char *folder = strrchr(s->hooks, '/') + 1;
	int fd = openat(s->dir, kept_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	char target[4096], *ours = xasprintf("../%s/", folder);
	struct dirent *e;

	while (list && (e = readdir(list))) {
		ssize_t n = readlinkat(fd, e->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		if (n > 0 && !is_event(s, e->d_name) && ps_starts(target, ours))
			unlinkat(fd, e->d_name, 0);
	}
	if (list)
		closedir(list);
	if (list)		/* what else is in it is somebody's, and stays */
		unlinkat(s->dir, kept_name, AT_REMOVEDIR);
	free(ours);
}

static int give_back(const struct site *s, const char *name, struct ps_err *err)
{
	char *kept = xasprintf("%s/%s", kept_name, name);
	int rc = renameat(s->dir, kept, s->dir, name) < 0 ?
		ps_err_errno(err, "cannot put '%s/%s' back", s->hooks, name) : 0;

	free(kept);
	return rc;
}

/* ---- all of it ---- */

static int open_folder(struct site *s, struct ps_err *err)
{
	struct stat st;
	char *slash;
	int rc;

	if (s->dir >= 0)
		return 0;
	rc = fs_mkdirs(s->hooks, 0755, err);
	if (rc == 0 && (s->dir = open(s->hooks, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		rc = ps_err_errno(err, "cannot open '%s'", s->hooks);
	if (rc == 0 && s->repo && stat(s->repo, &st) == 0 && geteuid() == 0 &&
	    fchown(s->dir, st.st_uid, st.st_gid) < 0)
		rc = ps_err_errno(err, "cannot give '%s' its owner", s->hooks);
	if (rc == 0 && fstat(s->dir, &s->dir_st) < 0)
		rc = ps_err_errno(err, "cannot look at '%s'", s->hooks);
	if (rc == 0 && !s->repo && (slash = realpath(s->hooks, NULL))) {
		free(s->hooks);
		s->hooks = slash;
	}
	return rc;
}

/* "pre-receive.d" of a host that has such folders. */
static int make_subfolder(const struct site *s, const char *name, struct ps_err *err)
{
	char *folder = xstrndup(name, strcspn(name, "/"));
	int rc = 0;

	if (strchr(name, '/') && mkdirat(s->dir, folder, 0755) < 0)
		rc = errno == EEXIST ? 0 : ps_err_errno(err, "cannot make '%s/%s'", s->hooks,
							folder);
	else if (strchr(name, '/'))
		rc = give(s, s->dir, folder, err);
	free(folder);
	return rc;
}

static int put_hook(const struct site *s, const struct bearings *b, const struct site_hook *h,
		    struct ps_err *err)
{
	int rc = make_subfolder(s, h->name, err);

	if (rc < 0)
		return rc;
	return h->is == HOOK_FOREIGN ? keep_hook(s, b, h->name, err) :
		link_to(s, b->program, s->dir, h->name, err);
}

static int mark_gitlab(const struct site *s, struct ps_err *err)
{
	if (mkdirat(s->dir, "../hooks", 0755) < 0 && errno != EEXIST)
		return ps_err_errno(err, "cannot make 'hooks' in '%s'", s->repo);
	return link_to(s, "../custom_hooks/penstock.hook", s->dir, gitlab_mark, err);
}

/* After a later step has failed; that one is told. */
static void take_back(const struct site *s, const struct site_hook *h, bool put)
{
	struct ps_err err;

	if (!put)
		return;
	if (h->is == HOOK_FOREIGN && give_back(s, h->name, &err) < 0)
		fprintf(stderr, "warning: %s\n", err.msg);
	else if (h->is != HOOK_FOREIGN)
		unlinkat(s->dir, h->name, 0);
}

int site_put(struct site *s, const struct bearings *b, bool new_id, bool *changed,
	     struct ps_err *err)
{
	bool put[SITE_HOOKS] = { false }, config = false, fresh = s->bound == BOUND_NO;
	bool made = s->dir < 0;
	int rc = open_folder(s, err);

	*changed = false;
	if (rc == 0 && s->bound != BOUND_HERE) {
		rc = put_bearings(s, b->text, err);
		*changed = true;
	}
	if (rc == 0 && s->host == HOST_GITLAB && s->bound != BOUND_HERE)
		rc = mark_gitlab(s, err);
	for (size_t i = 0; i < SITE_HOOKS && rc == 0; i++) {
		if (s->hook[i].is == HOOK_OURS || s->hook[i].is == HOOK_SHARED)
			continue;
		rc = put_hook(s, b, &s->hook[i], err);
		put[i] = rc == 0 && s->hook[i].is != HOOK_OLD;
		*changed = true;
	}
	if (rc == 0 && s->repo && (fresh || new_id || !*s->config.id || !s->config.hides ||
				   !s->config.options_said)) {
		rc = bind_put(s->repo, new_id, fresh, made ? &no_time : &s->dir_st.st_mtim,
			      &config, err);
		*changed |= config;
	}
	for (size_t i = 0; i < SITE_HOOKS && rc < 0; i++)
		take_back(s, &s->hook[i], put[i]);
	if (rc < 0 && fresh && s->dir >= 0) {
		unlinkat(s->dir, bearings_name, 0);
		clear_kept(s);
	}
	return rc;
}

static int take_hook(const struct site *s, const struct site_hook *h, struct buf *left,
		     struct ps_err *err)
{
	if (h->is == HOOK_FOREIGN && h->kept)
		buf_addf(left, "'%s/%s' was put there after the install and stays; the one from "
			 "before lies in '../penstock.kept'\n", s->hooks, h->name);
	if (h->is != HOOK_OURS && h->is != HOOK_OLD)
		return 0;
	if (h->kept)
		return give_back(s, h->name, err);
	return unlinkat(s->dir, h->name, 0) < 0 ?
		ps_err_errno(err, "cannot remove '%s/%s'", s->hooks, h->name) : 0;
}

int site_take(struct site *s, bool keep_id, bool *changed, struct buf *left, struct ps_err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = -1 } };
	bool config = false;
	int rc = 0;

	*changed = false;
	if (s->dir < 0)
		return 0;
	for (size_t i = 0; i < SITE_HOOKS && rc == 0; i++) {
		rc = take_hook(s, &s->hook[i], left, err);
		*changed |= s->hook[i].is == HOOK_OURS || s->hook[i].is == HOOK_OLD;
	}
	if (site_is_shared(s)) {
		buf_addf(left, "its hooks lead through another folder and stay: penstock uninstall "
			 "--hooks takes them out of that one\n");
		*changed |= s->config.block;
	} else if (rc == 0 && s->bound != BOUND_NO) {
		*changed = true;	/* last: a hook without it accepts without a word */
		if (unlinkat(s->dir, bearings_name, 0) < 0)
			rc = ps_err_errno(err, "cannot remove '%s/%s'", s->hooks, bearings_name);
	}
	if (rc == 0 && *changed) {
		clear_kept(s);
		if (s->repo)		/* nobody renews it any more */
			unlinkat(s->dir, "../penstock.lease", 0);
		if (s->host == HOST_GITLAB)
			unlinkat(s->dir, gitlab_mark, 0);
	}
	if (rc == 0 && s->repo && (*changed || s->config.block)) {
		rc = bind_take(s->repo, keep_id, &times[1], &config, err);
		*changed |= config;
	}
	if (rc == 0 && times[1].tv_sec == no_time.tv_sec) {
		if (rmdir(s->hooks) < 0 && errno != ENOTEMPTY)
			rc = ps_err_errno(err, "cannot remove '%s'", s->hooks);
	} else if (rc == 0 && times[1].tv_sec > 0 && futimens(s->dir, times) < 0) {
		buf_addf(left, "the time of '%s' could not be put back\n", s->hooks);
	}
	return rc;
}
