/* sandbox_walls – see sandbox_walls.h. */
#include "config.h"

#include "tests/support/sandbox_walls.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

enum { ARGS_MAX = 4096 };

/* One edit: `option` and the `values` words behind it go, or get another name; or words are added
 * before the root is made read-only. */
struct edit {
	const char *wall, *option;
	int values;
	const char *instead; /* of the option; NULL: all goes */
	const char *add;     /* an option with the wall's own value twice, or with nothing for "" */
};

static const struct edit edits[] = {
	{ "net", "--unshare-net", 0, NULL, NULL },
	{ "ipc", "--unshare-ipc", 0, NULL, NULL },
	{ "pid", "--unshare-pid", 0, NULL, NULL },
	{ "pid", "--proc", 1, NULL, NULL },
	{ "pid", NULL, 0, NULL, "--bind /proc /proc" },
	{ "seccomp", "--seccomp", 1, NULL, NULL },
	{ "userns", "--disable-userns", 0, NULL, NULL },
	{ "env", "--clearenv", 0, NULL, NULL },
	{ "ro", "--ro-bind", 0, "--bind", NULL },
	{ "ro", "--remount-ro", 1, NULL, NULL },
	{ "dev", "--ro-bind", 0, "--dev-bind", NULL },
	{ "dev", "--bind", 0, "--dev-bind", NULL },
	{ "caps", "--cap-drop", 1, NULL, NULL },
	{ "caps", "--cap-add", 1, NULL, NULL },
	{ "caps", NULL, 0, NULL, "--cap-add ALL" },
	{ "files", NULL, 0, NULL, "--bind = =" },
	{ "fd", NULL, 0, NULL, NULL }, /* value: a descriptor that bubblewrap keeps open */
};

static const char *gone[16];
static size_t ngone;

/* The value of a wall that is taken away ("" when it has none); NULL: it stands. */
static const char *value_of(const char *wall)
{
	size_t n = strlen(wall);

	for (size_t i = 0; i < ngone; i++)
		if (strncmp(gone[i], wall, n) == 0 && (gone[i][n] == '=' || gone[i][n] == '\0'))
			return gone[i] + n + (gone[i][n] == '=');
	return NULL;
}

const char *const *sandbox_wall_names(void)
{
	static const char *names[PS_NELEM(edits) + 1];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(edits); i++)
		if (!n || strcmp(names[n - 1], edits[i].wall) != 0)
			names[n++] = edits[i].wall;
	names[n] = NULL;
	return names;
}

bool sandbox_without(const char *wall)
{
	size_t n = strcspn(wall, "=");

	for (const char *const *name = sandbox_wall_names(); *name; name++)
		if (strlen(*name) == n && strncmp(*name, wall, n) == 0 && ngone < PS_NELEM(gone)) {
			gone[ngone++] = wall;
			return true;
		}
	return false;
}

static void put(struct buf *out, const char *word)
{
	buf_add(out, word, strlen(word) + 1);
}

/* Folders above a place that is bound: bubblewrap makes those that are missing for itself alone. */
static void put_parents(struct buf *out, const char *path)
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		char *parent = xstrndup(path, (size_t)(slash - path));

		put(out, "--perms");
		put(out, "0755");
		put(out, "--dir");
		put(out, parent);
		free(parent);
	}
}

static void put_added(struct buf *out)
{
	for (size_t i = 0; i < PS_NELEM(edits); i++) {
		const char *value = value_of(edits[i].wall);
		char *words = value && edits[i].add ? xstrdup(edits[i].add) : NULL, *save = NULL;

		if (words && *value)
			put_parents(out, value);
		for (char *w = words ? strtok_r(words, " ", &save) : NULL; w;
		     w = strtok_r(NULL, " ", &save))
			put(out, strcmp(w, "=") == 0 ? value : w);
		free(words);
	}
}

/* The edit of this option by a wall that is away; of two the later one. */
static const struct edit *edit_of(const char *option)
{
	const struct edit *found = NULL;

	for (size_t i = 0; i < PS_NELEM(edits); i++)
		if (edits[i].option && strcmp(edits[i].option, option) == 0 &&
		    value_of(edits[i].wall))
			found = &edits[i];
	return found;
}

static void rewrite(struct buf *out, const struct buf *in)
{
	const char *at = in->data, *end = at + in->len;
	bool added = false;

	while (at < end) {
		const struct edit *e = edit_of(at);
		size_t n = strlen(at) + 1;

		/* what comes later would find no place to be put */
		if (!added && strcmp(at, "--remount-ro") == 0 && strcmp(at + n, "/dev") == 0) {
			put_added(out);
			added = true;
		}
		if (!e || e->instead)
			put(out, e ? e->instead : at);
		at += n;
		for (int i = 0; e && !e->instead && i < e->values; i++)
			at += strlen(at) + 1;
	}
}

/* The caller's options are read from its descriptor; what is returned replaces it. */
static int edited(const char *fd_text, struct ps_err *err)
{
	struct buf in = BUF_INIT, out = BUF_INIT;
	int old = atoi(fd_text), fd = memfd_create("options", 0), rc;

	rc = fs_read_fd(&in, old, 1 << 20, err);
	rewrite(&out, &in);
	if (rc == 0)
		rc = fs_write_all(fd, out.data, out.len, err);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = ps_err_errno(err, "cannot rewind");
	buf_clear(&in);
	buf_clear(&out);
	return rc < 0 ? rc : fd;
}

pid_t __real_spawn_start(const struct spawn *s, struct ps_err *err);
pid_t __wrap_spawn_start(const struct spawn *s, struct ps_err *err);
pid_t __wrap_spawn_start(const struct spawn *s, struct ps_err *err)
{
	const char *argv[ARGS_MAX], *fd_value = value_of("fd");
	int keep[16], fd;
	char fd_text[16];
	struct spawn mine = *s;
	size_t n = 0, from = 0;
	pid_t pid;

	if (!ngone)
		return __real_spawn_start(s, err);
	fd = edited(s->argv[2], err);
	if (fd < 0)
		return fd;
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	while (s->argv[from]) {
		/* the words of setpriv, up to its own "--" */
		if (value_of("caps") && strcmp(s->argv[from], "/usr/bin/setpriv") == 0) {
			while (strcmp(s->argv[from], "--") != 0)
				from++;
			from++;
		}
		PS_BUG_IF(n == ARGS_MAX - 1, "too many words for a sandbox");
		argv[n] = n == 2 ? fd_text : s->argv[from];
		n++;
		from++;
	}
	argv[n] = NULL;
	mine.argv = argv;
	memcpy(keep, s->keep, s->nkeep * sizeof(int));
	mine.keep = keep;
	keep[mine.nkeep++] = fd;
	if (fd_value)
		keep[mine.nkeep++] = atoi(fd_value);
	if (value_of("env"))
		mine.env = (const char *const *)environ;
	pid = __real_spawn_start(&mine, err);
	close(fd);
	return pid;
}
