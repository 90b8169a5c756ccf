/* bind – the lines of ours in a repository's configuration; see bind.h. */
#include "config.h"

#include "common/tree/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/tree/repo_git.h"

enum { CONFIG_MAX = 16 << 20 };

static const char begins[] = "# penstock install: begin ", ends[] = "# penstock install: end\n";
static const char unended[] = "unended ";	/* the line before had no end */

/* ---- reading, as git reads ---- */

static int is_there(const git_config_entry *e, void *arg)
{
	(void)e;
	*(bool *)arg = true;
	return 0;
}

static void read_values(struct bind *b, git_config *cfg)
{
	git_buf text = { 0 };
	int truth = 0;

	if (git_config_get_string_buf(&text, cfg, "penstock.id") == 0 &&
	    digest_is_hex(text.ptr, REPO_ID - 1))
		memcpy(b->id, text.ptr, REPO_ID);
	git_buf_dispose(&text);
	if (git_config_get_string_buf(&text, cfg, "core.hookspath") == 0)
		b->hooks_path = xstrdup(text.ptr);
	git_buf_dispose(&text);
	b->options_said = git_config_get_bool(&truth, cfg, "receive.advertisepushoptions") == 0;
	b->options = truth != 0;
	git_config_get_multivar_foreach(cfg, "transfer.hiderefs", "^refs/penstock/?$", is_there,
					&b->hides);
}

/* Once for the process: each start of the library reads the certificates of the machine. */
static int library(struct ps_err *err)
{
	static bool up;
	int rc = up ? 0 : late_git_load(err);

	if (rc == 0 && !up) {
		rc = git_libgit2_init();
		up = rc >= 0;
		rc = up ? 0 : repo_git_err(err, rc, "cannot start libgit2");
	}
	return rc;
}

static int open_values(git_config **live, git_config **now, const char *path, struct ps_err *err)
{
	int rc = library(err);

	*live = *now = NULL;
	if (rc < 0)
		return rc;
	rc = git_config_open_ondisk(live, path);
	if (rc == 0)
		rc = git_config_snapshot(now, *live);
	return rc < 0 ? repo_git_err(err, rc, "cannot read '%s'", path) : 0;
}

static void close_values(git_config *live, git_config *now)
{
	git_config_free(now);
	git_config_free(live);
}

int bind_read(struct bind *b, const char *gitdir, struct ps_err *err)
{
	char *path = fs_join(gitdir, "config");
	git_config *live, *now;
	struct buf text = BUF_INIT;
	int rc = fs_read(&text, AT_FDCWD, path, CONFIG_MAX, err);

	*b = (struct bind) { .hooks_path = NULL };
	if (rc == 0) {
		b->block = strstr(buf_str(&text), begins) != NULL;
		rc = open_values(&live, &now, path, err);
		if (rc == 0)
			read_values(b, now);
		close_values(live, now);
	}
	buf_clear(&text);
	free(path);
	if (rc < 0)
		bind_clear(b);
	return rc;
}

void bind_clear(struct bind *b)
{
	PS_FREE(b->hooks_path);
}

/* ---- writing, under git's lock ---- */

struct file {
	char *path, *lock;
	struct stat st;
	struct buf text;
	int fd;			/* of the lock; -1: not held */
};

static int lock_file(struct file *f, const char *gitdir, struct ps_err *err)
{
	int rc;

	*f = (struct file) { .path = fs_join(gitdir, "config"),
			     .lock = fs_join(gitdir, "config.lock"), .text = BUF_INIT };
	f->fd = open(f->lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f->fd < 0 && errno == EEXIST)
		return ps_err_set(err, PS_EBUSY, "'%s' is locked by another process; when none is "
				  "at work there, remove '%s'", f->path, f->lock);
	if (f->fd < 0)
		return ps_err_errno(err, "cannot lock '%s'", f->path);
	rc = fs_read(&f->text, AT_FDCWD, f->path, CONFIG_MAX, err);
	if (rc == 0 && stat(f->path, &f->st) < 0)
		rc = ps_err_errno(err, "cannot look at '%s'", f->path);
	return rc;
}

/* mtime NULL: now. */
static int write_file(struct file *f, const struct timespec *mtime, struct ps_err *err)
{
	const struct timespec times[2] = { f->st.st_atim, mtime ? *mtime : f->st.st_mtim };
	int rc = fs_write_all(f->fd, buf_str(&f->text), f->text.len, err);

	if (rc == 0 && (fchmod(f->fd, f->st.st_mode & 07777) < 0 ||
			((f->st.st_uid != geteuid() || f->st.st_gid != getegid()) &&
			 fchown(f->fd, f->st.st_uid, f->st.st_gid) < 0 && geteuid() == 0) ||
			(mtime && futimens(f->fd, times) < 0) || fsync(f->fd) < 0 ||
			rename(f->lock, f->path) < 0))
		rc = ps_err_errno(err, "cannot write '%s'", f->path);
	if (rc == 0) {
		close(f->fd);
		f->fd = -1;
	}
	return rc;
}

static void unlock_file(struct file *f)
{
	if (f->fd >= 0) {
		close(f->fd);
		unlink(f->lock);
	}
	buf_clear(&f->text);
	free(f->lock);
	free(f->path);
}

/* ---- the block ---- */

/* A file whose last line has no end. */
static bool ends_open(const struct buf *text)
{
	return text->len && text->data[text->len - 1] != '\n';
}

static void add_block(struct buf *out, const struct bind *have, const struct stat *st,
		      const struct timespec *hooks, const char *id)
{
	bool open_line = ends_open(out);

	buf_addf(out, "%s%s%s%lld.%09ld %lld.%09ld\n", open_line ? "\n" : "", begins,
		 open_line ? unended : "", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		 (long long)hooks->tv_sec, hooks->tv_nsec);
	if (!*have->id)
		buf_addf(out, "[penstock]\n\tid = %s\n", id);
	if (!have->hides)
		buf_adds(out, "[transfer]\n\thideRefs = refs/penstock\n");
	if (!have->options_said)
		buf_adds(out, "[receive]\n\tadvertisePushOptions = true\n");
	buf_adds(out, ends);
}

static const char id_line[] = "\tid = ";

/* Puts another id where ours stands; false: it stands nowhere. */
static bool put_id(struct buf *text, const char *id)
{
	char *at = strstr(text->data, "\n[penstock]\n\tid = ");

	if (!at)
		return false;
	at = strstr(at, id_line) + strlen(id_line);
	if (strcspn(at, "\n") != REPO_ID - 1)
		return false;
	memcpy(at, id, REPO_ID - 1);
	return true;
}

int bind_put(const char *gitdir, bool new_id, bool always, const struct timespec *hooks,
	     bool *changed, struct ps_err *err)
{
	struct bind have = { .hooks_path = NULL };
	struct file f;
	char id[REPO_ID];
	int rc = lock_file(&f, gitdir, err);

	*changed = false;
	random_hex(id, (REPO_ID - 1) / 2);
	if (rc == 0)
		rc = bind_read(&have, gitdir, err);
	if (rc == 0 && new_id && *have.id) {
		*changed = true;
		if (!put_id(&f.text, id))
			rc = ps_err_set(err, PS_EINVAL, "penstock.id in '%s' was not written by "
					"penstock; take it out: git config --file '%s' --unset "
					"penstock.id", f.path, f.path);
	}
	if (rc == 0 && (!*have.id || !have.hides || !have.options_said ||
			(always && !have.block))) {
		*changed = true;
		add_block(&f.text, &have, &f.st, hooks, id);
	}
	if (rc == 0 && *changed)
		rc = write_file(&f, NULL, err);
	unlock_file(&f);
	bind_clear(&have);
	return rc;
}

/* A line that only an install writes. */
static bool is_ours(const char *line, size_t n)
{
	static const char *const lines[] = { "\thideRefs = refs/penstock",
					     "\tadvertisePushOptions = true" };

	for (size_t i = 0; i < PS_NELEM(lines); i++)
		if (strlen(lines[i]) == n && memcmp(lines[i], line, n) == 0)
			return true;
	return n == strlen(id_line) + REPO_ID - 1 && memcmp(line, id_line, strlen(id_line)) == 0;
}

/* Copies what is not ours, each with the heading it stands under. True: all was ours. */
static bool copy_foreign(struct buf *out, const char *from, const char *to)
{
	const char *heading = NULL;
	bool all = true;

	for (const char *at = from, *line; at < to; at = line) {
		size_t n = strcspn(at, "\n");

		line = at + n + (at[n] == '\n');
		if (*at == '[') {
			heading = at;
			continue;
		}
		if (is_ours(at, n))
			continue;
		all = false;
		if (heading)
			buf_add(out, heading, strcspn(heading, "\n") + 1);
		heading = NULL;
		buf_add(out, at, (size_t)(line - at));
	}
	return all;
}

struct times { struct timespec config, hooks; };

static bool read_times(const char *from, struct times *t)
{
	long long c, h;

	return sscanf(from, "%lld.%9ld %lld.%9ld", &c, &t->config.tv_nsec, &h,
		      &t->hooks.tv_nsec) == 4 &&
		((t->config.tv_sec = (time_t)c), (t->hooks.tv_sec = (time_t)h), true);
}

/* Cuts one block out of text. False: there is none. *whole: nobody has touched it, and t is what it
 * kept. */
static bool cut_block(struct buf *text, struct times *t, bool *whole)
{
	char *from = strstr(buf_str(text), begins), *body, *to, *first = from;
	struct buf out = BUF_INIT;

	if (!from || (from > text->data && from[-1] != '\n'))
		return false;
	body = from + strlen(begins);
	if (ps_starts(body, unended)) {
		body += strlen(unended);
		first--;		/* the line's end is ours */
	}
	*whole = read_times(body, t);
	body += strcspn(body, "\n");
	body += *body == '\n';
	to = strstr(body, ends);
	*whole = *whole && to;
	if (!to)
		to = body;		/* somebody has taken the second comment away */
	buf_add(&out, text->data, (size_t)(first - text->data));
	*whole = copy_foreign(&out, body, to) && *whole;
	buf_adds(&out, ps_starts(to, ends) ? to + strlen(ends) : to);
	buf_clear(text);
	*text = out;
	return true;
}

/* What stands there without our comments: an id that was made later, and what earlier versions
 * wrote. */
static int drop_values(const char *gitdir, bool drop_id, bool drop_hides, bool *changed,
		       struct ps_err *err)
{
	char *path = fs_join(gitdir, "config");
	git_config *cfg = NULL;
	struct stat st;
	int rc = library(err);

	if (rc < 0)
		goto out;
	if (stat(path, &st) < 0) {
		rc = ps_err_errno(err, "cannot look at '%s'", path);
		goto out;
	}
	rc = git_config_open_ondisk(&cfg, path);
	if (rc == 0 && drop_id)
		rc = git_config_delete_entry(cfg, "penstock.id");
	if (rc == 0 && drop_hides)
		rc = git_config_delete_multivar(cfg, "transfer.hiderefs", "^refs/penstock/?$");
	*changed |= rc == 0;
	if (rc < 0)
		rc = repo_git_err(err, rc, "cannot write '%s'", path);
	else if (geteuid() == 0 && chown(path, st.st_uid, st.st_gid) < 0)
		rc = ps_err_errno(err, "cannot give '%s' back to its owner", path);
out:
	git_config_free(cfg);
	free(path);
	return rc;
}

int bind_take(const char *gitdir, bool keep_id, struct timespec *hooks, bool *changed,
	      struct ps_err *err)
{
	struct bind have = { .hooks_path = NULL };
	struct file f;
	struct times t;
	bool whole = true, block = false;
	int rc = lock_file(&f, gitdir, err);

	*changed = false;
	hooks->tv_sec = -1;
	if (rc == 0)
		rc = bind_read(&have, gitdir, err);
	while (rc == 0 && cut_block(&f.text, &t, &whole))
		block = true;
	whole = whole && block && !keep_id;
	if (whole)
		*hooks = t.hooks;
	if (rc == 0 && block && keep_id && *have.id && !strstr(buf_str(&f.text), have.id))
		buf_addf(&f.text, "%s[penstock]\n%s%s\n", ends_open(&f.text) ? "\n" : "", id_line,
			 have.id);
	if (rc == 0 && block) {
		*changed = true;
		rc = write_file(&f, whole ? &t.config : NULL, err);
	}
	unlock_file(&f);
	bind_clear(&have);
	if (rc == 0) {
		rc = bind_read(&have, gitdir, err);
		if (rc == 0 && ((*have.id && !keep_id) || (have.hides && !block)))
			rc = drop_values(gitdir, *have.id && !keep_id, have.hides && !block,
					 changed, err);
		bind_clear(&have);
	}
	return rc;
}
