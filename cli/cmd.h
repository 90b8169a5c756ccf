/*
 * cmd – the table of commands. Help, usage errors and option parsing read the same row.
 *
 * A command is one const row in its noun's cmd_*.c and one line in the table of cmd.c. Options that
 * every command has (-C, --json, --as, --color, --help) are taken by main and may stand anywhere.
 */
#ifndef PS_CMD_H
#define PS_CMD_H

#include "cli/cli.h"

enum { CMD_OPTS_MAX = 16, CMD_ARGS_MANY = 1000000, CMD_MANY_MAX = 64 };

struct cmd_opt {
	const char *name;	/* "--repo" is "repo" */
	char letter;		/* 0: none */
	const char *arg;	/* what its value is called; NULL: a flag */
	const char *help;
};

struct cmd_args {
	/* by place in the row's opts: NULL: not given; "" for a flag */
	const char *opt[CMD_OPTS_MAX];
	const char **arg;		/* n of them, then NULLs for those that may be left out */
	size_t n;
	/* every value of the option that may be given more than once, in order */
	const char *many[CMD_MANY_MAX];
	size_t nmany;
};

enum cmd_needs { CMD_NOTHING, CMD_INSTANCE };	/* CMD_INSTANCE: cli->paths is filled before exec */

struct cmd {
	const char *name;	/* one word, or two: "config check" */
	const char *usage;	/* what follows the name */
	const char *group;	/* heading in the help; NULL: it is for programs, not in the help */
	const char *help;	/* one line: what it does */
	const char *more;	/* further text of `help NAME`; NULL */
	const char *example;	/* what follows "penstock " in an example */
	enum cmd_needs needs;
	size_t min, max;	/* number of arguments; CMD_ARGS_MANY: no limit */
	const char *many;	/* name of the option that may be given more than once; NULL */
	struct cmd_opt opts[CMD_OPTS_MAX];	/* ends at the first without name */
	int (*exec)(struct cli *cli, const struct cmd_args *a);	/* an exit code */
};

extern const struct cmd *const cmd_table[];	/* in the order of the help; NULL-ended */

/* The row for argv[0] (and argv[1]); *words is 1 or 2. NULL: unknown. */
const struct cmd *cmd_find(int argc, char *const *argv, int *words);
/* The known name that is nearest to what was typed; NULL when nothing is near. */
const char *cmd_nearest(const char *typed);
/* Fills a; free(a->arg). Returns 0 or CLI_USAGE after printing why. */
int cmd_parse(struct cli *cli, const struct cmd *c, int argc, char *const *argv, struct cmd_args *a)
	PS_MUSTCHECK;
/* The help of each command whose first word this is ("config"); false: there is none. */
bool cmd_help_group(FILE *out, const char *word);
void cmd_help(FILE *out, const struct cmd *c);
void cmd_help_all(FILE *out);

#endif
