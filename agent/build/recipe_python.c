/*
 * recipe_python – one wheel by `python setup.py bdist_wheel` (setuptools and wheel of the
 * toolchain).
 *
 * The export is copied to a tmpfs, sorted, with fixed modes and times: what the file system of the
 * export did with them cannot reach the wheel, and nothing of an earlier build can either.
 */
#include "config.h"

#include "agent/build/recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/plan/profile.h"

/* $1: the pipeline's folder; setup.py is in code/ below it. pipefail is why this is bash. A change
 * here raises the recipe's revision. */
static const char script[] =
	"set -euo pipefail\n"
	"umask 022\n"
	"shopt -s dotglob\n"
	"cd " PROFILE_EXPORT "\n"
	"tar --sort=name --mtime=@" PROFILE_EPOCH " --mode=u=rwX,go=rX --owner=0 --group=0"
	" --numeric-owner -cf - -- * | tar --no-same-owner -C " PROFILE_BUILD " -xf -\n"
	"cd " PROFILE_BUILD "/\"$1\"/code\n"
	"exec python setup.py -q bdist_wheel --dist-dir " PROFILE_OUT "\n";

static void on_output(void *arg, const char *bytes, size_t n)
{
	runlog_bytes(arg, bytes, n);
}

static int make_out(const struct recipe_job *job, const char *out, struct ps_err *err)
{
	int rc = fs_mkdirs(out, 0755, err);

	if (rc == 0 && geteuid() == 0 && chown(out, job->uid, job->uid) < 0)
		rc = ps_err_errno(err, "cannot give '%s' to the sandbox", out);
	return rc;
}

static int run_setup(const struct recipe_job *job, const char *out, struct sandbox_result *res,
		     struct ps_err *err)
{
	const struct sandbox_bind binds[] = {
		{ job->export, PROFILE_EXPORT, false },
		{ out, PROFILE_OUT, true },
	};
	const char *const argv[] = { "/usr/bin/bash", "-c", script, "build", job->pipeline, NULL };

	return sandbox_run(
		&(struct sandbox_spec){
			.argv = argv,
			.prefix = job->prefix,
			.java = job->java,
			.binds = binds,
			.nbinds = PS_NELEM(binds),
			.watched = out,
			.cwd = "/tmp",
			.build_dir = true,
			.uid = job->uid,
			.mark = job->mark,
			.limits = job->limits,
			.on_output = on_output,
			.arg = job->log,
		},
		res, err);
}

static void conclude(struct recipe_end *end, enum recipe_state state, const char *what,
		     const char *why)
{
	end->state = state;
	snprintf(end->reason, sizeof(end->reason), "%.100s%.900s", what, why);
}

static void python_build(const struct recipe_job *job, struct recipe_end *end)
{
	char *out = fs_join(job->work, "out");
	struct sandbox_result res;
	struct ps_err err = { 0 };
	int rc;

	*end = (struct recipe_end){ .state = RECIPE_AGAIN };
	if ((rc = recipe_verify(job, &err)) < 0) {
		conclude(end, rc == PS_ESTALE ? RECIPE_FAILED : RECIPE_AGAIN,
			 "the export is not what the key says: ", err.msg);
	} else if ((rc = fs_remove_tree(AT_FDCWD, job->work, &err)) < 0 ||
		   (rc = make_out(job, out, &err)) < 0 ||
		   (rc = run_setup(job, out, &res, &err)) < 0) {
		conclude(end, RECIPE_AGAIN, "", ps_err_msg(&err, rc));
	} else if (res.end == SANDBOX_BROKEN) {
		conclude(end, RECIPE_AGAIN, "", res.why);
	} else if (res.end == SANDBOX_LIMIT || res.status != 0) {
		conclude(end, RECIPE_FAILED, "setup.py: ", res.why);
	} else if ((rc = recipe_seal(job, out, ".whl", end, &err)) < 0) {
		conclude(end,
			 rc == PS_EINVAL || rc == PS_ECONFLICT ? RECIPE_FAILED : RECIPE_AGAIN,
			 "", err.msg);
	} else {
		conclude(end, RECIPE_PASSED, "", job->check ? "reproducible" : "");
	}
	if (end->state == RECIPE_PASSED && !job->check)
		runlog_say(job->log, "sealed %s, %llu bytes, %s", end->name,
			   (unsigned long long)end->size, end->digest);
	else
		runlog_say(job->log, "%s", end->reason);
	/* what cannot be removed now is removed at the role's start */
	if (fs_remove_tree(AT_FDCWD, job->work, &err) < 0)
		runlog_say(job->log, "%s", err.msg);
	free(out);
}

const struct recipe recipe_python = {
	.name = PROFILE_RECIPE_PYTHON,
	.build = python_build,
};
