/*
 * cli – what every command is handed: where the instance is, how to print, who to speak as.
 *
 * Data goes to stdout, progress and errors to stderr. Exit codes are those of the design: scripts
 * rely on them.
 */
#ifndef PS_CLI_H
#define PS_CLI_H

#include "cli/term.h"
#include "common/base/err.h"
#include "common/config/paths.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_NO = 1,		/* the answer is no: invalid, refused, failed, timed out */
	CLI_USAGE = 2,
	CLI_NO_AGENT = 3,	/* the agent cannot be reached */
	CLI_INTERRUPTED = 130,	/* Ctrl-C; the work goes on */
};

struct cli {
	const char *instance;	/* -C or PENSTOCK_INSTANCE; NULL: the system's places */
	struct ps_paths paths;	/* after cli_instance() */
	bool have_paths;
	const char *as;		/* --as NAME */
	const char *url;	/* PENSTOCK_URL: the agent's listener; NULL: its socket */
	char *token;		/* PENSTOCK_TOKEN, or of --token-file; NULL: by account */
	bool json;
	bool quick;		/* what the agent does not say at once is not waited for */
	const char *command;	/* the one that runs; NULL: none was found, or it is a hook's */
	struct term out, err;	/* how stdout and stderr may be written to; decided once */
};

/*
 * Finds the instance (-C DIR, PENSTOCK_INSTANCE, /etc/penstock) and fills cli->paths. Prints why
 * not and what to do; returns 0 or an exit code.
 */
int cli_instance(struct cli *cli) PS_MUSTCHECK;
/* Takes url and token from the environment and, unless NULL, the file. 0 or an exit code (said). */
int cli_token(struct cli *cli, const char *file) PS_MUSTCHECK;
/* "error: ..." on stderr, escaped; `next` is the command to give now, without one (NULL) the help
 * of the command that runs. Returns code. */
int cli_fail(struct cli *cli, enum cli_exit code, const char *next, const char *fmt, ...)
	PS_PRINTF(4, 5);
/* The same from an error of ours. */
int cli_fail_err(struct cli *cli, const struct ps_err *err, const char *next);
/* A path as a shell reads it back. free() it. */
char *cli_quote(const char *path);
/* The start of a command line for this instance: "penstock -C DIR" or "penstock". Static buffer. */
const char *cli_self(const struct cli *cli);

#endif
