/*
 * doctor_users – can each account that runs git reach what its hooks need? See doctor.h.
 *
 * As root each is tried by becoming that account in a child; else only our own is, and of others it
 * is said that nobody asked.
 */
#include "config.h"

#include "cli/doctor.h"

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/show.h"
#include "common/base/fsutil.h"
#include "common/wire/frame.h"

enum { CONNECT_MS = 1000 };

/* What the child found, as bits of its exit code; it writes nothing. */
enum { NO_SOCKET = 1, NO_POLICY = 2, NO_GATE = 4, NO_SPOOL = 8, NOT_HIM = 16 };

static const struct lack {
	int bit;
	const char *what, *why;
} lacks[] = {
	{ NO_SOCKET, "cannot reach the hooks' socket",
	  "each push is judged by the gate program and its event waits in the spool" },
	{ NO_POLICY, "cannot read the policy",
	  "its pushes are not judged while the agent does not answer" },
	{ NO_GATE, "cannot run the gate program",
	  "its pushes are not judged while the agent does not answer" },
	{ NO_SPOOL, "cannot leave word in the spool",
	  "what it pushes while the agent is away is found only by the next look" },
};

static int look_as(const struct doctor *d, const char *gate, uid_t uid, gid_t gid, bool other)
{
	const struct ps_paths *p = &d->cli->paths;
	int found = 0, sock;

	if (other && (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0))
		return NOT_HIM;
	if (d->status) {
		sock = frame_connect(p->hook_sock, CONNECT_MS, NULL);
		found |= sock < 0 ? NO_SOCKET : 0;
		if (sock >= 0)
			close(sock);
	}
	found |= access(p->policy, R_OK) < 0 ? NO_POLICY : 0;
	found |= !gate || access(gate, X_OK) < 0 ? NO_GATE : 0;
	found |= access(p->spool, W_OK | X_OK) < 0 ? NO_SPOOL : 0;
	return found;
}

/* The bits; -1 when no child could be made. */
static int try_as(const struct doctor *d, const char *gate, uid_t uid, gid_t gid)
{
	pid_t pid;
	int status = 0;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(look_as(d, gate, uid, gid, geteuid() != uid));
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* The uid of the gate role; -1: the agent does not run. */
static long gate_uid(const struct doctor *d)
{
	size_t i;
	json_t *role;
	char path[64];
	struct stat st;

	json_array_foreach(json_object_get(d->status, "roles"), i, role) {
		if (strcmp(show_text(role, "id"), "gate") != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%lld",
			 (long long)json_integer_value(json_object_get(role, "pid")));
		if (stat(path, &st) == 0)
			return (long)st.st_uid;
	}
	return -1;
}

static void say_lacks(struct doctor *d, const char *name, int found, const char *gate)
{
	const struct ps_paths *p = &d->cli->paths;
	const char *const paths[] = { p->hook_sock, p->policy, gate ? gate : "penstock", p->spool };

	for (size_t i = 0; i < PS_NELEM(lacks); i++) {
		char *quoted, *mend;

		if (!(found & lacks[i].bit))
			continue;
		quoted = cli_quote(paths[i]);
		mend = xasprintf("namei -l %s", quoted);	/* which folder keeps it out */
		doctor_say(d, WELL_ERROR, lacks[i].why, mend, "%s %s '%s'", name, lacks[i].what,
			   paths[i]);
		free(mend);
		free(quoted);
	}
}

static void one_user(struct doctor *d, const char *name, const char *gate)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	const struct passwd *pw = *end ? getpwnam(name) : getpwuid((uid_t)number);
	uid_t uid = pw ? pw->pw_uid : (uid_t)number;
	long reads = gate_uid(d);
	int found;

	if (!pw && *end) {
		doctor_say(d, WELL_ERROR, "its pushes would be heard, but nobody has this name",
			   "penstock config check", "there is no account '%s'", name);
		return;
	}
	if (geteuid() != 0 && geteuid() != uid) {
		doctor_say(d, WELL_NOT_ASKED, NULL, "sudo penstock doctor",
			   "%s: only root can try what it reaches", name);
		return;
	}
	found = try_as(d, gate, uid, pw ? pw->pw_gid : (gid_t)uid);
	if (found < 0 || found & NOT_HIM) {
		doctor_say(d, WELL_NOT_ASKED, NULL, NULL, "%s: we could not become it", name);
		return;
	}
	say_lacks(d, name, found, gate);
	if (found == 0)
		doctor_say(d, WELL_OK, NULL, NULL, "%s reaches %spolicy, gate program and spool; "
			   "its pushes are judged %s", name, d->status ? "socket, " : "",
			   reads < 0 ? "by the gate program while the agent is away" :
			   reads == 0 || (uid_t)reads == uid ? "in the agent" :
			   "by the gate program: the gate role has another user and cannot read "
			   "its quarantine");
}

void doctor_users(struct doctor *d)
{
	char *gate = fs_find_program("penstock");
	struct conf_names seen = { NULL, 0 };
	size_t cap = 0;

	for (size_t i = 0; d->cfg && i < d->cfg->nroots; i++)
		for (size_t k = 0; k < d->cfg->roots[i].hook_users.n; k++) {
			const char *name = d->cfg->roots[i].hook_users.v[k];

			if (conf_names_has(&seen, name))
				continue;
			seen.v = xgrow(seen.v, seen.n, &cap, sizeof(*seen.v));
			seen.v[seen.n++] = xstrdup(name);
			one_user(d, name, gate);
		}
	if (!d->cfg)
		doctor_say(d, WELL_NOT_ASKED, NULL, "penstock config check",
			   "the configuration names them, and it has errors");
	else if (!seen.n)
		doctor_say(d, WELL_ERROR, "no hook is heard", "penstock help install",
			   "no root names an account in hook_users");
	conf_names_clear(&seen);
	free(gate);
}
