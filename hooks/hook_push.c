/* hook_push – where this hook belongs, which push it is part of, who pushes and what. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/base/proc.h"
#include "hooks/hook.h"
#include "hooks/identity/identity.h"

/* Cuts the next line off *at; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at, *end = line ? strchr(line, '\n') : NULL;

	if (!line || !*line)
		return NULL;
	if (end)
		*end = '\0';
	*at = end ? end + 1 : NULL;
	return line;
}

/* penstock.hook beside the name git started us by, or above where a host starts all hooks of a
 * folder: socket, policy, gate program. */
int hook_bearings(struct hook *h, const char *argv0, struct ps_err *err)
{
	const char *slash = strrchr(argv0, '/');
	char *dir = slash ? xstrndup(argv0, (size_t)(slash - argv0)) : xstrdup(".");
	char *path = xasprintf("%s/penstock.hook", slash == argv0 ? "" : dir), *at, *line[3];
	struct buf text = BUF_INIT;
	int rc = fs_read(&text, AT_FDCWD, path, 3 * PATH_MAX, err);

	if (rc == PS_ENOENT) {
		free(path);
		path = xasprintf("%s/../penstock.hook", slash == argv0 ? "" : dir);
		rc = fs_read(&text, AT_FDCWD, path, 3 * PATH_MAX, err);
	}
	at = text.data;
	for (size_t i = 0; rc == 0 && i < PS_NELEM(line); i++) {
		line[i] = next_line(&at);
		if (!line[i] || line[i][0] != '/')
			rc = ps_err_set(err, PS_EINVAL, "'%s' does not hold three absolute paths",
					path);
	}
	if (rc == 0) {
		h->socket = xstrdup(line[0]);
		h->policy_path = xstrdup(line[1]);
		h->gate = xstrdup(line[2]);
	}
	buf_clear(&text);
	free(path);
	free(dir);
	return rc;
}

/* All of stdin, always: git gets SIGPIPE otherwise. What is past the limit is read and dropped. */
static int read_all(struct hook *h, struct ps_err *err)
{
	for (;;) {
		char *room = buf_room(&h->input, 65536);
		ssize_t n = read(STDIN_FILENO, room, 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ps_err_errno(err, "cannot read what git says");
		if (n == 0)
			return 0;
		if (h->input.len + (size_t)n > HOOK_STDIN_MAX)
			h->over_limit = true;
		else
			buf_grew(&h->input, (size_t)n);
	}
}

/* "old new ref"; the pieces stay in place. */
static bool take_command(struct wire_ref_line *r, char *line)
{
	char *new = strchr(line, ' '), *ref = new ? strchr(new + 1, ' ') : NULL;

	if (!ref || !ref[1] || strlen(ref + 1) > PS_REF_MAX)
		return false;
	*new++ = '\0';
	*ref++ = '\0';
	if (strlen(line) < 40 || strlen(line) > PS_OID_HEX_MAX || strlen(new) != strlen(line))
		return false;
	*r = (struct wire_ref_line) { .ref = ref, .old = line, .new = new };
	return true;
}

int hook_read_input(struct hook *h, struct ps_err *err)
{
	size_t cap = 0;
	char *at, *line;
	int rc = read_all(h, err);

	if (rc < 0)
		return rc;
	buf_add(&h->text, buf_str(&h->input), h->input.len);
	at = h->text.data;
	while (!h->over_limit && (line = next_line(&at))) {
		if (h->nrefs == PS_PUSH_REFS_MAX) {
			h->over_limit = true;
			break;
		}
		h->refs = xgrow(h->refs, h->nrefs, &cap, sizeof(*h->refs));
		if (!take_command(&h->refs[h->nrefs], line))
			return ps_err_set(err, PS_EPROTO, "cannot read line %zu of what git says",
					  h->nrefs + 1);
		h->refs[h->nrefs].ordinal = h->nrefs;
		h->nrefs++;
	}
	return 0;
}

int hook_repository(struct hook *h, struct ps_err *err)
{
	const char *dir = getenv("GIT_DIR"), *objects = getenv("GIT_OBJECT_DIRECTORY");

	h->repository = realpath(dir && *dir ? dir : ".", NULL);
	if (!h->repository)
		return ps_err_errno(err, "cannot tell where the repository is");
	if (getenv("GIT_QUARANTINE_PATH") && objects)
		h->object_dir = realpath(objects, NULL);
	h->alternates = h->object_dir ? getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES") : NULL;
	return 0;
}

/* git-receive-pack under that name, or `git ... receive-pack`. */
static bool is_receive_pack(pid_t pid, const char *name)
{
	struct buf line = BUF_INIT;
	char path[64];
	bool yes = strcmp(name, "git-receive-pac") == 0;

	if (yes || strcmp(name, "git") != 0)
		return yes;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (fs_read(&line, AT_FDCWD, path, 1 << 20, NULL) == 0)
		for (size_t at = 0; at < line.len && !yes; at += strlen(line.data + at) + 1)
			yes = strcmp(line.data + at, "receive-pack") == 0;
	buf_clear(&line);
	return yes;
}

/* The process whose end is the end of the push: the first receive-pack among our parents. */
static void find_receive_pack(struct hook *h)
{
	struct proc_stat st;
	pid_t pid = getppid();

	for (int i = 0; i < HOOK_PARENTS_MAX && pid > 1 && proc_stat(&st, pid); i++,
	     pid = st.parent) {
		if (!is_receive_pack(pid, st.name))
			continue;
		h->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (!proc_lives(pid, st.start)) {	/* somebody else has that number by now */
			if (h->pidfd >= 0)
				close(h->pidfd);
			h->pidfd = -1;
			return;
		}
		h->pid = (uint64_t)pid;
		h->pid_start = st.start;
		return;
	}
}

static void machine_id(char out[33])
{
	struct buf b = BUF_INIT;

	if (fs_read(&b, AT_FDCWD, "/etc/machine-id", 256, NULL) == 0 && b.len >= 32 &&
	    strspn(b.data, "0123456789abcdef") == 32)
		snprintf(out, 33, "%.32s", b.data);
	else
		snprintf(out, 33, "unknown");
	buf_clear(&b);
}

void hook_find_push(struct hook *h)
{
	char machine[33], none[17] = "";

	h->pidfd = -1;
	find_receive_pack(h);
	machine_id(machine);
	/* a host of its own making: nothing joins this hook to another */
	if (!h->pid)
		random_hex(none, 8);
	snprintf(h->push, sizeof(h->push), "%s-%s-%llu-%llu%s%s", machine, clock_boot_id(),
		 (unsigned long long)h->pid, (unsigned long long)h->pid_start, *none ? "-" : "",
		 none);
}

static const struct policy_root *root_of(const struct hook *h)
{
	const struct policy_root *best = NULL;

	for (size_t i = 0; h->has_policy && i < h->policy.nroots; i++) {
		const char *path = h->policy.roots[i].path;
		size_t n = strlen(path);

		if (strncmp(h->repository, path, n) == 0 && (h->repository[n] == '/' ||
							     !h->repository[n]) &&
		    (!best || n > strlen(best->path)))
			best = &h->policy.roots[i];
	}
	return best;
}

void hook_find_pusher(struct hook *h)
{
	const struct policy_root *root = root_of(h);
	struct identity id;
	const char *as;

	identity_find(&id, root, (const char *const *)environ);
	h->pusher = id.name;
	h->refusal_prefix = identity_refusal_prefix(root);
	if (*id.why && !h->post)
		hook_say("warning: pusher unknown: %s", id.why);
	if (!h->has_policy || !h->policy.trusted_caller || getuid() != h->policy.trusted_uid)
		return;
	as = getenv("PENSTOCK_AS");	/* one person playing all parts on his own instance */
	if (as && *as && strlen(as) <= PS_NAME_MAX && strlen(as) <= WIRE_ID)
		h->as = as;
}
