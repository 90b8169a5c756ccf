/* job_clear – after a job was killed because somebody cancelled it; see job.h. Its processes and
 * its sandbox are gone: the role waited for that. Here go its folders, and the log says how it
 * ended. */
#include "config.h"

#include "agent/build/job.h"

#include <fcntl.h>

#include "agent/build/runlog.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

static void remove_tree(const char *path)
{
	struct ps_err err = { 0 };

	if (path && fs_remove_tree(AT_FDCWD, path, &err) < 0)
		log_warn("build", NULL, "%s; it goes at the next start", err.msg);
}

static void say(const struct job_env *env, const struct wire_cancel *m)
{
	struct runlog *log = NULL;
	struct ps_err err = { 0 };

	if (!m->log || !m->reason || !fs_exists(m->log))
		return;
	if (runlog_open(&log, m->log, env->cfg->builder.output, &err) < 0) {
		log_warn("build", NULL, "%s", err.msg);
		return;
	}
	runlog_say(log, "%s", m->reason);
	runlog_close(log);
}

void job_clear(const struct job_env *env, const struct wire_cancel *m, int sock)
{
	bool is_run = strcmp(m->kind, "run") == 0;
	char *work = job_work(env, m->kind[0], m->id, m->fence);

	remove_tree(m->export);
	if (!is_run)
		remove_tree(work);
	say(env, m);
	if (is_run)
		job_tell(sock, MSG_run_end,
			 &(struct wire_run_end){
				 .run = m->id, .fence = m->fence, .state = "cancelled" });
	else if (strcmp(m->kind, "test") == 0)
		job_tell(sock, MSG_test_end,
			 &(struct wire_test_end){
				 .test = m->id, .fence = m->fence, .state = "cancelled" });
	else
		job_tell(sock, MSG_build_end,
			 &(struct wire_build_end){
				 .build = m->id, .fence = m->fence, .state = "cancelled" });
	free(work);
}
