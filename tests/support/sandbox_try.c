/*
 * sandbox_try – one command in the sandbox, for tests that stand outside.
 *
 *	sandbox_try [-u UID] [-t TOOLCHAIN] [-j JAVA_HOME] [-r FROM:TO]... [-w FROM:TO]... [-W
 *WATCHED]
 *		    [-l wall=MS,quiet=MS,memory=MB,disk=MB,processes=N] [-f FD]... [-x WALL]...
 *		    COMMAND ARG...
 *	sandbox_try --probe
 *	sandbox_try --walls
 *
 * The command's output goes to stdout; one last line on stderr says how it ended. Exit status: the
 * command's, 100 for a limit, 101 when the sandbox could not be made. -f leaves a descriptor open
 * without close-on-exec on purpose: inside it must be gone. -x takes a wall away (sandbox_walls.h;
 * --walls lists them).
 */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/build/sandbox.h"
#include "common/base/fsutil.h"
#include "common/plan/profile.h"
#include "tests/support/sandbox_walls.h"

static void print(void *arg, const char *bytes, size_t n)
{
	(void)arg;
	if (fs_write_all(1, bytes, n, NULL) < 0)
		exit(102);
}

static void read_limits(struct sandbox_limits *l, char *text)
{
	for (char *at = strtok(text, ","); at; at = strtok(NULL, ",")) {
		char *eq = strchr(at, '=');
		long long n = eq ? atoll(eq + 1) : 0;

		if (ps_starts(at, "wall="))
			l->wall_ms = n;
		else if (ps_starts(at, "quiet="))
			l->quiet_ms = n;
		else if (ps_starts(at, "memory="))
			l->memory = n << 20;
		else if (ps_starts(at, "disk="))
			l->disk = n << 20;
		else if (ps_starts(at, "processes="))
			l->processes = (unsigned)n;
	}
}

int main(int argc, char **argv)
{
	struct sandbox_bind binds[16];
	struct sandbox_spec spec = { .cwd = "/tmp",
				     .build_dir = true,
				     .uid = PROFILE_UID_SLOT,
				     .binds = binds,
				     .on_output = print,
				     .mark = "sandbox_try" };
	struct sandbox_result res;
	struct ps_err err = { 0 };
	char why[512], *colon;
	int opt, rc;

	if (argc == 2 && ps_streq(argv[1], "--probe")) {
		bool yes = sandbox_probe(PROFILE_UID_SLOT, why);

		printf("%s\n", yes ? "available" : why);
		return yes ? 0 : 1;
	}
	if (argc == 2 && ps_streq(argv[1], "--walls")) {
		for (const char *const *name = sandbox_wall_names(); *name; name++)
			printf("%s\n", *name);
		return 0;
	}
	spec.limits.disk = 256 << 20;
	while ((opt = getopt(argc, argv, "+u:t:j:r:w:W:l:f:x:")) != -1) {
		if (opt == 'u')
			spec.uid = (uid_t)atoi(optarg);
		else if (opt == 't')
			spec.prefix = optarg;
		else if (opt == 'j')
			spec.java = optarg;
		else if (opt == 'W')
			spec.watched = optarg;
		else if (opt == 'l')
			read_limits(&spec.limits, optarg);
		else if (opt == 'x' && sandbox_without(optarg))
			continue;
		else if (opt == 'f')
			fcntl(atoi(optarg), F_SETFD, 0);
		else if ((opt == 'r' || opt == 'w') && (colon = strchr(optarg, ':')) &&
			 spec.nbinds < 16) {
			*colon = '\0';
			binds[spec.nbinds++] =
				(struct sandbox_bind){ optarg, colon + 1, opt == 'w' };
		} else {
			return 2;
		}
	}
	spec.argv = (const char *const *)argv + optind;
	rc = sandbox_run(&spec, &res, &err);
	if (rc < 0) {
		fprintf(stderr, "error: %s\n", ps_err_msg(&err, rc));
		return 101;
	}
	fprintf(stderr, "%s\n", res.why);
	return res.end == SANDBOX_EXITED ? res.status : res.end == SANDBOX_LIMIT ? 100 : 101;
}
