/*
 * penstock – the command line. Also the gate program that hooks start (`penstock check
 * --pre-receive`), so everything before a command's exec is cheap and touches no file.
 */
#include "config.h"

#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/wire/route.h"

static const char usage_next[] = "penstock help";

/* Options that may stand anywhere. 0: not one of them, 1: taken, 2: with its value, negative:
 * misuse. */
static int take_global(struct cli *cli, const char *word, const char *next, const char **color,
		       const char **token, bool *help)
{
	if (strcmp(word, "--json") == 0) {
		cli->json = true;
		return 1;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		*help = true;
		return 1;
	}
	if (ps_starts(word, "--color=")) {
		*color = word + strlen("--color=");
		return 1;
	}
	if (ps_starts(word, "--token-file=")) {
		*token = word + strlen("--token-file=");
		return 1;
	}
	if (ps_starts(word, "--as=")) {
		cli->as = word + strlen("--as=");
		return 1;
	}
	if (strcmp(word, "--color") != 0 && strcmp(word, "--as") != 0 && strcmp(word, "-C") != 0 &&
	    strcmp(word, "--token-file") != 0)
		return 0;
	if (!next)
		return -1;
	if (word[1] == 'C')
		cli->instance = next;
	else if (word[2] == 'a')
		cli->as = next;
	else if (word[2] == 't')
		*token = next;
	else
		*color = next;
	return 2;
}

/* Moves the global options out of argv. Returns the number of words left, negative on misuse. */
static int sift(struct cli *cli, int argc, char **argv, const char **color, const char **token,
		bool *help)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		int took;

		if (strcmp(argv[i], "--") == 0) {	/* behind it nothing is ours */
			while (i < argc)
				argv[n++] = argv[i++];
			break;
		}
		took = take_global(cli, argv[i], i + 1 < argc ? argv[i + 1] : NULL, color, token,
				   help);
		if (took < 0)
			return -cli_fail(cli, CLI_USAGE, usage_next, "'%s' needs a value", argv[i]);
		if (took == 0)
			argv[n++] = argv[i];
		if (took == 2)
			i++;
	}
	return n;
}

static int unknown(struct cli *cli, const char *typed)
{
	const char *near = cmd_nearest(typed);

	cli_fail(cli, CLI_USAGE, NULL, "unknown command '%s'", typed);
	if (near)
		fprintf(stderr, "hint: the nearest is %s\n", near);
	fprintf(stderr, "next: penstock help\n");
	return CLI_USAGE;
}

static int run(struct cli *cli, int argc, char **argv, bool help)
{
	const struct cmd *c;
	struct cmd_args args;
	int words, rc;

	if (argc > 0 && strcmp(argv[0], "help") == 0) {
		help = true;
		argc--;
		argv++;
	}
	if (argc == 0) {
		cmd_help_all(help ? stdout : stderr);
		return help ? CLI_OK : CLI_USAGE;
	}
	c = cmd_find(argc, argv, &words);
	if (!c && help && argc == 1 && cmd_help_group(stdout, argv[0]))
		return CLI_OK;
	if (!c)
		return unknown(cli, argv[0]);
	if (help) {
		cmd_help(stdout, c);
		return CLI_OK;
	}
	cli->command = c->name;
	rc = cmd_parse(cli, c, argc - words, argv + words, &args);
	if (rc == 0 && c->needs == CMD_INSTANCE)
		rc = cli_instance(cli);
	if (rc == 0)
		rc = c->exec(cli, &args);
	free(args.arg);
	return rc;
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	const char *color = NULL, *token = NULL;
	bool help = false;
	int n, rc;

	route_as(SPEAKER_program);
	failpoint_main(argc, argv);
	setlocale(LC_CTYPE, "");
	log_open("penstock");
	/* a reader that went away is an error of write, not our death */
	signal(SIGPIPE, SIG_IGN);
	cli.instance = getenv("PENSTOCK_INSTANCE");
	if (cli.instance && !*cli.instance)
		cli.instance = NULL;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("penstock %s\n", PACKAGE_VERSION);
		return CLI_OK;
	}
	n = sift(&cli, argc, argv, &color, &token, &help);
	if (n < 0)
		return -n;
	if (!term_init(&cli.out, STDOUT_FILENO, color) ||
	    !term_init(&cli.err, STDERR_FILENO, color))
		return cli_fail(&cli, CLI_USAGE, usage_next,
				"--color is 'always', 'never' or 'auto', not '%s'", color);
	rc = cli_token(&cli, token);
	if (rc == 0)
		rc = run(&cli, n, argv, help);
	if (fflush(stdout) != 0 && rc == CLI_OK)
		rc = CLI_NO;		/* what was asked for did not arrive */
	if (cli.have_paths)
		ps_paths_clear(&cli.paths);
	free(cli.token);
	return rc;
}
