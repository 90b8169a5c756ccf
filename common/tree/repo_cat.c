/* repo_cat – see repo_cat.h. */
#include "config.h"

#include "common/tree/repo_cat.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/spawn.h"

enum { HEAD_MAX = 256, ENV_MAX = 12 };

static const char git[] = "/usr/bin/git";

struct cat {
	pid_t pid;
	FILE *io;
};

/* ---- git's surroundings ---- */

struct surroundings {
	char *dir, *alternates;
	const char *env[ENV_MAX];
};

static void surround(struct surroundings *s, const struct repo *r)
{
	size_t n = 0;

	s->dir = xasprintf("GIT_DIR=%s", r->dir);
	s->alternates = r->alternates ?
		xasprintf("GIT_ALTERNATE_OBJECT_DIRECTORIES=%s", r->alternates) : NULL;
	s->env[n++] = s->dir;
	s->env[n++] = "PATH=/usr/bin:/bin";
	s->env[n++] = "LC_ALL=C";
	s->env[n++] = "GIT_CONFIG_NOSYSTEM=1";
	s->env[n++] = "GIT_CONFIG_GLOBAL=/dev/null";
	/* a partial clone must not fetch what is not there from where its own config says */
	s->env[n++] = "GIT_NO_LAZY_FETCH=1";
	s->env[n++] = "GIT_ALLOW_PROTOCOL=none";
	s->env[n++] = "GIT_NO_REPLACE_OBJECTS=1";
	s->env[n++] = "GIT_OPTIONAL_LOCKS=0";
	if (s->alternates)
		s->env[n++] = s->alternates;
	s->env[n] = NULL;
}

static void surround_clear(struct surroundings *s)
{
	free(s->dir);
	free(s->alternates);
}

/* "git", what none of its programs may do, the words. */
static void put_words(const char *argv[GIT_WORDS_MAX + 6], const char *const *words)
{
	size_t n = 0;

	argv[n++] = git;
	argv[n++] = "-c";
	argv[n++] = "core.hooksPath=/dev/null";
	argv[n++] = "-c";
	argv[n++] = "core.fsync=all";
	for (size_t i = 0; words[i]; i++) {
		PS_BUG_IF(i == GIT_WORDS_MAX, "git gets too many words");
		argv[n++] = words[i];
	}
	argv[n] = NULL;
}

/* Starts git with one end of a pair as its input (if it is asked) and output. */
static pid_t start(struct repo *r, const char *const *words, bool asked, FILE **io,
		   struct ps_err *err)
{
	const char *argv[GIT_WORDS_MAX + 6];
	struct surroundings s;
	struct spawn how = { .argv = argv, .env = s.env, .errout = -1 };
	pid_t pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return ps_err_errno(err, "cannot make a pair of sockets for git");
	surround(&s, r);
	put_words(argv, words);
	how.in = asked ? pair[1] : -1;
	how.out = pair[1];
	pid = spawn_start(&how, err);
	surround_clear(&s);
	close(pair[1]);
	*io = pid < 0 ? NULL : fdopen(pair[0], "r");
	PS_BUG_IF(pid > 0 && !*io, "fdopen failed");
	if (pid < 0)
		close(pair[0]);
	return pid;
}

/* ---- one program, one answer ---- */

int git_run(struct repo *r, const char *const *words, git_line_fn fn, void *arg, int *status,
	    struct ps_err *err)
{
	FILE *io;
	char *line = NULL;
	bool more = true;
	size_t cap = 0;
	ssize_t n;
	pid_t pid = start(r, words, false, &io, err);
	int rc;

	if (pid < 0)
		return (int)pid;
	while (more && (n = getline(&line, &cap, io)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		more = fn(arg, line);
	}
	free(line);
	fclose(io);
	if (!more)
		kill(pid, SIGKILL);	/* nobody reads the rest */
	rc = spawn_wait(pid, status, err);
	if (rc == 0 && !more)
		*status = 0;
	return rc;
}

static bool keep_first(void *arg, char *line)
{
	char **first = arg;

	if (!*first)
		*first = xstrdup(line);
	return true;
}

int git_line(struct repo *r, const char *const *words, char **line, int *status,
	     struct ps_err *err)
{
	int rc;

	*line = NULL;
	rc = git_run(r, words, keep_first, line, status, err);
	if (rc < 0)
		PS_FREE(*line);
	else if (!*line)
		*line = xstrdup("");
	return rc;
}

/* ---- objects ---- */

static int open_cat(struct repo *r, struct ps_err *err)
{
	static const char *const words[] = { "cat-file", "--batch-command", NULL };
	struct cat *c;
	FILE *io;
	pid_t pid;

	if (r->cat)
		return 0;
	pid = start(r, words, true, &io, err);
	if (pid < 0)
		return (int)pid;
	c = xcalloc(1, sizeof(*c));
	c->pid = pid;
	c->io = io;
	r->cat = c;
	return 0;
}

void cat_close(struct cat *c)
{
	int status;

	if (!c)
		return;
	fclose(c->io);			/* it ends with its input */
	if (spawn_wait(c->pid, &status, NULL) < 0)
		kill(c->pid, SIGKILL);
	free(c);
}

static int ended(struct repo *r, const char *name, struct ps_err *err)
{
	cat_close(r->cat);
	r->cat = NULL;
	return ps_err_set(err, PS_EIO, "git cat-file gave no answer for '%.80s' in '%s' (SHA-256 "
			  "objects are read with git 2.36 or newer)", name, r->dir);
}

static bool read_type(const char *word, enum cat_type *out)
{
	static const char *const words[] = {
		[CAT_COMMIT] = "commit", [CAT_TREE] = "tree", [CAT_BLOB] = "blob",
		[CAT_TAG] = "tag",
	};

	for (size_t i = 0; i < PS_NELEM(words); i++)
		if (strcmp(words[i], word) == 0) {
			*out = (enum cat_type)i;
			return true;
		}
	return false;
}

/* Asks, and reads the line that every answer begins with: PS_ENOENT: there is none such. */
static int ask(struct repo *r, const char *what, const char *name, struct cat_info *out,
	       struct ps_err *err)
{
	char line[HEAD_MAX], type[8], *ask = xasprintf("%s %s\n", what, name);
	int rc = open_cat(r, err);
	size_t n = strlen(ask), at = 0;

	while (rc == 0 && at < n) {
		ssize_t sent = send(fileno(r->cat->io), ask + at, n - at, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			rc = ended(r, name, err);
		at += sent < 0 ? 0 : (size_t)sent;
	}
	free(ask);
	if (rc < 0)
		return rc;
	if (!fgets(line, sizeof(line), r->cat->io) || !strchr(line, '\n'))
		return ended(r, name, err);
	if (ps_ends(line, " missing\n") || ps_ends(line, " ambiguous\n"))
		return PS_ENOENT;
	if (sscanf(line, "%64s %7s %zu", out->oid, type, &out->size) != 3 ||
	    !digest_is_hex(out->oid, r->digits) || !read_type(type, &out->type))
		return ended(r, name, err);
	return 0;
}

int cat_info(struct repo *r, const char *name, struct cat_info *out, struct ps_err *err)
{
	return ask(r, "info", name, out, err);
}

int cat_contents(struct repo *r, const struct cat_info *of, struct buf *out, struct ps_err *err)
{
	struct cat_info now;
	int rc = ask(r, "contents", of->oid, &now, err);
	char *to;

	if (rc == PS_ENOENT)
		return ps_err_set(err, rc, "object %.12s is not there any more", of->oid);
	if (rc < 0)
		return rc;
	if (now.size != of->size)
		return ended(r, of->oid, err);
	to = buf_room(out, now.size);
	if (fread(to, 1, now.size, r->cat->io) != now.size || fgetc(r->cat->io) != '\n')
		return ended(r, of->oid, err);
	buf_grew(out, now.size);
	return 0;
}
