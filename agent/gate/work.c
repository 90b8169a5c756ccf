/* work – see work.h. */
#include "config.h"

#include "agent/gate/work.h"

#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/gate/request.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/wire/frame.h"
#include "common/wire/route.h"

enum { WORK_SOCK = 3, TRIES = 100, NAP_MS = 10 };

int work_reply(struct work *w, enum msg_type type, const void *body, struct ps_err *err)
{
	return frame_send(w->sock, type, body, -1, 0, err);
}

int work_admit(struct work *w, const char *path, char **real, char **name, struct ps_err *err)
{
	char *found;

	if (*path != '/')
		return ps_err_set(err, PS_EINVAL, "the repository '%s' is not named by an "
				  "absolute path", path);
	found = realpath(path, NULL);
	if (!found)
		return ps_err_errno(err, "cannot find the repository '%s'", path);
	if (!config_root_of(w->cfg, w->paths->base, found, name)) {
		ps_err_set(err, PS_EPERM, "'%s' is below no root of the configuration; add its "
			   "folder to repositories: roots", found);
		free(found);
		return PS_EPERM;
	}
	repo_trust_owners();
	*real = found;
	return 0;
}

int work_open(struct work *w, const char *path, struct repo **out, struct ps_err *err)
{
	char *real, *name;
	int rc = work_admit(w, path, &real, &name, err);

	if (rc < 0)
		return rc;
	rc = repo_open(out, real, NULL, err);
	free(real);
	free(name);
	return rc;
}

int work_tree(struct repo *r, const char *oid, struct repo_peeled *peeled, struct tree **out,
	      struct ps_err *err)
{
	int rc = repo_peel(r, oid, peeled, err);

	return rc < 0 ? rc : repo_tree(out, r, peeled->tree, err);
}

bool work_again(int rc, unsigned *tries)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };

	if (rc != PS_EBUSY || ++*tries >= TRIES)
		return false;
	nanosleep(&nap, NULL);
	return true;
}

int work_repo_id(struct repo *r, char id[REPO_ID], struct ps_err *err)
{
	unsigned tries = 0;
	int rc;

	do {
		rc = repo_id(r, true, id, err);
	} while (work_again(rc, &tries));
	return rc;
}

/* Nothing of the role's own descriptors stays: neither its sockets nor those of other workers. */
static void settle(struct work *w, pid_t role)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != role)
		_exit(1);
	prctl(PR_SET_NAME, "gate worker");
	if (w->sock != WORK_SOCK && dup2(w->sock, WORK_SOCK) < 0)
		_exit(1);
	w->sock = WORK_SOCK;
	if (syscall(SYS_close_range, WORK_SOCK + 1, ~0u, 0) < 0)
		_exit(1);
	failpoint_reopen();		/* its log was among them */
	route_as(SPEAKER_worker);
}

static void answer(struct work *w, const struct msg *m)
{
	const struct request_kind *kind = request_kind(m->type);
	struct buf lines = BUF_INIT;
	struct ps_err err = { 0 };
	struct msg out;
	int rc;

	PS_BUG_IF(!kind, "a worker was asked '%s'", m->name);
	rc = kind->run(w, m, &err);
	if (rc < 0) {
		request_problem(m, ps_err_msg(&err, rc), &lines, &out);
		if (work_reply(w, out.type, &out.u, &err) < 0)
			_exit(0);	/* the role is gone */
	}
	buf_clear(&lines);
}

void work_main(struct work *w, pid_t role)
{
	struct ps_err err;
	struct msg m;
	int rc;

	settle(w, role);
	while ((rc = frame_recv(w->sock, &m, MSG_ROLE_MAX, NULL, 0, &err)) == 0) {
		answer(w, &m);
		msg_clear(&m);
	}
	if (rc != PS_EAGENT)
		log_warn("worker", NULL, "%s", err.msg);
	_exit(0);
}
