/* toolchain make: the program penstock-build makes it; its lines of progress pass through. */
#include "config.h"

#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

extern char **environ;

static int make_exec(struct cli *cli, const struct cmd_args *a)
{
	char *program = fs_find_program("penstock-build"), text[64];
	const char *argv[] = { program, "--make-toolchain", cli->paths.system ? "-" :
			       cli->paths.base, a->arg[0], a->arg[1], NULL };
	struct spawn s = { .argv = argv, .env = (const char *const *)environ, .in = -1,
			   .out = STDOUT_FILENO, .errout = STDERR_FILENO };
	struct ps_err err = { 0 };
	int status = 0, rc;
	pid_t pid;

	if (!program)
		return cli_fail(cli, CLI_NO,
				NULL, "the program 'penstock-build' is not beside penstock: "
				"installed in part?");
	pid = spawn_start(&s, &err);
	rc = pid < 0 ? (int)pid : spawn_wait(pid, &status, &err);
	free(program);
	if (rc < 0)
		return cli_fail_err(cli, &err, NULL);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);	/* it has said why; its codes are ours */
	return cli_fail(cli, CLI_NO, NULL, "making the toolchain ended by %s",
			spawn_status_text(text, status));
}

const struct cmd cmd_toolchain_make = {
	.name = "toolchain make", .usage = "NAME FILE", .group = "Administer",
	.help = "Make a toolchain for builds and runs from a requirements file "
		"(needs the package index)",
	.more = "FILE lists packages as pip reads them. The toolchain is made once, outside the "
		"sandbox, in the\n"
		"instance's folder toolchains/NAME. The one called default is used, and a single "
			"one whatever its name.",
	.example = "toolchain make default toolchain.txt",
	.needs = CMD_INSTANCE, .min = 2, .max = 2, .exec = make_exec,
};
