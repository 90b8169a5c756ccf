#include <config.h>

#include "common/config/paths.h"

#include <errno.h>
#include <limits.h>

#include "common/base/fsutil.h"

#define SYSTEM_BASE "/var/lib/penstock"

int ps_paths_init(struct ps_paths *p, const char *dir, struct ps_err *err)
{
	char real[PATH_MAX];

	memset(p, 0, sizeof(*p));
	if (!dir) {
		p->system = true;
		p->base = xstrdup(SYSTEM_BASE);
#define SYSTEM_PLACE(name, sys, below) p->name = xstrdup(sys);
		PS_PATHS(SYSTEM_PLACE)
#undef SYSTEM_PLACE
		return 0;
	}
	if (!realpath(dir, real))
		return ps_err_errno(err, "cannot open the instance '%s'", dir);
	p->base = xstrdup(real);
#define BELOW_DIR(name, sys, below) p->name = fs_join(real, below);
	PS_PATHS(BELOW_DIR)
#undef BELOW_DIR
	return 0;
}

static int make(const char *path, mode_t mode, struct ps_err *err)
{
	int rc = fs_exists(path) ? 0 : fs_mkdirs(path, mode & 0755, err);

	if (rc == 0 && (mode & ~0755u) && chmod(path, mode) < 0 && errno != EPERM)
		rc = ps_err_errno(err, "cannot set the mode of '%s'", path);
	return rc;
}

int ps_paths_make(const struct ps_paths *p, struct ps_err *err)
{
	const struct { const char *path; mode_t mode; } dirs[] = {
		{ p->base, 0755 }, { p->keys, 0755 }, { p->state, 0755 }, { p->spool, 03773 },
		{ p->verdicts, 0700 }, { p->run, 0755 }, { p->artifacts, 0755 }, { p->logs, 0755 },
		{ p->outputs, 0755 },
		{ p->work_export, 0755 }, { p->work_build, 0755 }, { p->work_run, 0755 },
		{ p->fabrics, 0755 }, { p->repos, 0755 }, { p->toolchains, 0755 },
	};

	for (size_t i = 0; i < PS_NELEM(dirs); i++) {
		int rc = make(dirs[i].path, dirs[i].mode, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

char *ps_paths_build_log(const struct ps_paths *p, int64_t build)
{
	return xasprintf("%s/b%lld.log", p->logs, (long long)build);
}

char *ps_paths_test_log(const struct ps_paths *p, int64_t test)
{
	return xasprintf("%s/t%lld.log", p->logs, (long long)test);
}

char *ps_paths_run_logs(const struct ps_paths *p, int64_t run)
{
	return xasprintf("%s/x%lld", p->logs, (long long)run);
}

char *ps_paths_run_outputs(const struct ps_paths *p, int64_t run)
{
	return xasprintf("%s/x%lld", p->outputs, (long long)run);
}

void ps_paths_clear(struct ps_paths *p)
{
	PS_FREE(p->base);
#define CLEAR_ONE(name, sys, below) PS_FREE(p->name);
	PS_PATHS(CLEAR_ONE)
#undef CLEAR_ONE
}
