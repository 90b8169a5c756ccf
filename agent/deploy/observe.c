/* observe – see observe.h. */
#include "config.h"

#include "agent/deploy/observe.h"

#include "agent/deploy/place.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/wire/frame.h"

/* What an answer may hold of definitions; past that their digests must do. */
enum { DEFINITION_MAX = 1 << 20, DEFINITIONS_MAX = 8 << 20 };

static int look(const struct wire_observe *m, const struct conf_fabric *f, struct secret_fds secret,
		struct fabric_job *jobs, struct fabric_seen *seen, struct ps_err *err)
{
	const struct place_ask ask = { .fabric = f, .fabric_dir = m->fabric_dir,
				       .content = m->content, .repository = m->repository,
				       .project = m->project, .secret = secret };
	struct place p;
	int rc = place_open(&p, &ask, err);

	for (size_t i = 0; i < m->jobs.n && rc == 0; i++) {
		const struct wire_rendered *j = &m->jobs.v[i];

		if (!place_is_path(j->key))
			rc = ps_err_set(err, PS_EPROTO, "'%s' is not a job", j->key);
		jobs[i] = (struct fabric_job) { .key = j->key, .name = j->name,
						.sha256 = j->digest, .id = j->remote };
	}
	if (rc == 0 && FAIL_AT("deploy.look"))
		rc = ps_err_errno(err, "cannot look");
	/* where nothing of ours is, it is enough to know that something could be put there */
	if (rc == 0 && m->jobs.n)
		rc = p.driver->look(&p.t, jobs, m->jobs.n, seen, err);
	else if (rc == 0 && p.driver->probe)
		rc = p.driver->probe(&p.t, err);
	place_close(&p);
	return rc;
}

static void found_jobs(struct wire_found_job *out, const struct fabric_seen *seen, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++) {
		const struct fabric_seen *s = &seen[i];
		size_t len = s->definition ? strlen(s->definition) : 0;

		all += len;
		out[i] = (struct wire_found_job) {
			.digest = s->sha256, .remote = s->id, .by = s->by, .paused = s->paused,
			.definition = len <= DEFINITION_MAX && all <= DEFINITIONS_MAX
					      ? s->definition : NULL,
		};
	}
}

int observe_run(int sock, struct secret_fds secret, const struct wire_observe *m,
		const struct conf_fabric *f)
{
	struct fabric_job *jobs = xcalloc(m->jobs.n + 1, sizeof(*jobs));
	struct fabric_seen *seen = xcalloc(m->jobs.n + 1, sizeof(*seen));
	struct wire_found_job *list = xcalloc(m->jobs.n + 1, sizeof(*list));
	struct wire_observed answer = { .id = m->id };
	struct ps_err err = { 0 };
	int rc = look(m, f, secret, jobs, seen, &err);

	if (rc < 0) {
		answer.problem = ps_err_msg(&err, rc);
	} else {
		found_jobs(list, seen, m->jobs.n);
		answer.jobs.v = list;
		answer.jobs.n = m->jobs.n;
	}
	rc = frame_send(sock, MSG_observed, &answer, -1, 0, &err);
	if (rc < 0)
		log_error("deploy", NULL, "what fabric '%s' has did not reach core: %s", m->fabric,
			  err.msg);
	fabric_seen_clear(seen, m->jobs.n);
	free(list);
	free(seen);
	free(jobs);
	return rc < 0;
}
