/* observe – see observe.h. */
#include "config.h"

#include "agent/deploy/observe.h"

#include "agent/deploy/fabric/fabric.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/wire/frame.h"

static bool is_place(const struct wire_observe *m)
{
	return m->fabric_dir[0] == '/' && fs_is_clean_relative(m->repository) &&
	       (strcmp(m->project, ".") == 0 || fs_is_clean_relative(m->project));
}

static int look(const struct wire_observe *m, char **paths, char (*digests)[65],
		struct ps_err *err)
{
	const struct fabric_driver *driver = fabric_driver_find(m->provider);
	struct fabric_target t = { .dir = m->fabric_dir };
	char *place;
	int rc;

	if (!driver || !driver->look)
		return ps_err_set(err, PS_ENOTSUP, "no driver for %s can look in this version",
				  m->provider);
	if (!is_place(m))
		return ps_err_set(err, PS_EPROTO, "'%s' of '%s' cannot be a place on a fabric",
				  m->project, m->repository);
	for (size_t i = 0; i < m->jobs.n; i++) {
		if (!fs_is_clean_relative(m->jobs.v[i]))
			return ps_err_set(err, PS_EPROTO, "'%s' is not a job", m->jobs.v[i]);
		paths[i] = xasprintf("%s.json", m->jobs.v[i]);
	}
	if (FAIL_AT("deploy.look"))
		return ps_err_errno(err, "cannot look");
	place = strcmp(m->project, ".") == 0 ? xstrdup(m->repository)
					     : fs_join(m->repository, m->project);
	t.place = place;
	rc = driver->look(&t, (const char *const *)paths, m->jobs.n, digests, err);
	free(place);
	return rc;
}

int observe_run(int sock, const struct wire_observe *m)
{
	char **paths = xcalloc(m->jobs.n + 1, sizeof(*paths));
	char(*digests)[65] = xcalloc(m->jobs.n + 1, sizeof(*digests));
	const char **list = xcalloc(m->jobs.n + 1, sizeof(*list));
	struct wire_observed answer = { .id = m->id };
	struct ps_err err = { 0 };
	int rc = look(m, paths, digests, &err);

	if (rc < 0) {
		answer.problem = ps_err_msg(&err, rc);
	} else {
		answer.digests.v = list;
		answer.digests.n = m->jobs.n;
	}
	for (size_t i = 0; i < m->jobs.n; i++)
		list[i] = digests[i];
	rc = frame_send(sock, MSG_observed, &answer, -1, 0, &err);
	if (rc < 0)
		log_error("deploy", NULL, "what fabric '%s' has did not reach core: %s", m->fabric,
			  err.msg);
	for (size_t i = 0; i < m->jobs.n; i++)
		free(paths[i]);
	free(paths);
	free(digests);
	free(list);
	return rc < 0;
}
