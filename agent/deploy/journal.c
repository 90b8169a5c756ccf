/* journal – see journal.h. */
#include "config.h"

#include "agent/deploy/journal.h"

#include "common/base/failpoint.h"
#include "common/wire/frame.h"

/* Waits for core's word on this step; an older one is an answer to what we did not wait for. */
static int wait_ok(struct journal *j, struct ps_err *err)
{
	for (;;) {
		struct msg m;
		bool ours, stop;
		int rc = frame_recv(j->sock, &m, MSG_ROLE_MAX, NULL, 0, err);

		if (rc < 0)
			return rc;
		ours = m.type == MSG_step_ok && m.u.step_ok.deployment == j->deployment;
		stop = ours && m.u.step_ok.stop;
		ours = ours && m.u.step_ok.step == j->step;
		msg_clear(&m);
		if (stop)
			return ps_err_set(err, PS_ESTALE,
					  "core has given the deployment to another");
		if (ours)
			return 0;
	}
}

int journal_begin(struct journal *j, const char *what, struct ps_err *err)
{
	struct wire_step_begin m = { .deployment = j->deployment, .fence = j->fence, .what = what };
	int rc;

	m.step = ++j->step;
	if (FAIL_AT("deploy.begin"))
		return ps_err_errno(err, "cannot begin '%s'", what);
	rc = frame_send(j->sock, MSG_step_begin, &m, -1, 0, err);
	if (rc == 0)
		rc = wait_ok(j, err);
	if (rc == 0 && FAIL_AT("deploy.begun"))
		rc = ps_err_errno(err, "cannot go on with '%s'", what);
	return rc;
}

int journal_done(struct journal *j, const char *outcome, const char *detail,
		 const struct journal_job *job, struct ps_err *err)
{
	struct wire_step_done m = { .deployment = j->deployment, .fence = j->fence,
				    .step = j->step, .outcome = outcome, .detail = detail,
				    .job = job ? job->key : NULL,
				    .remote = job ? job->remote : NULL };

	if (FAIL_AT("deploy.done"))
		return ps_err_errno(err, "cannot tell what was done");
	return frame_send(j->sock, MSG_step_done, &m, -1, 0, err);
}

int journal_end(struct journal *j, const char *state, const char *reason, const char *unverified,
		struct ps_err *err)
{
	struct wire_deploy_end m = { j->deployment, j->fence, state, reason, unverified };

	if (FAIL_AT("deploy.end"))
		return ps_err_errno(err, "cannot tell the end");
	return frame_send(j->sock, MSG_deploy_end, &m, -1, 0, err);
}
