/*
 * client – the agent's HTTP API on its Unix socket, from the command line.
 *
 * An answer that is no success is printed here (a problem document's detail, then the command it
 * names) and becomes an exit code, so commands only handle what they asked for.
 */
#ifndef PS_CLIENT_H
#define PS_CLIENT_H

#include <jansson.h>

#include "cli/cli.h"
#include "common/base/buf.h"

/* A path with parameters: buf_adds(&p, "/events"), then these. A NULL value adds nothing. */
void client_param(struct buf *path, const char *name, const char *value);
/* Appends "/" and the percent-encoded text. */
void client_part(struct buf *path, const char *text);

/* path begins behind /api/v1. *out: json_decref() it. Return 0 or an exit code (already said). */
int client_get(struct cli *cli, const char *path, json_t **out) PS_MUSTCHECK;
/* body may be NULL. */
int client_post(struct cli *cli, const char *path, const json_t *body, json_t **out) PS_MUSTCHECK;

struct client_log {
	struct buf bytes;	/* appended by each call */
	int64_t next;		/* offset to ask for next */
	int64_t elided;		/* bytes in front of these that are not kept any more */
	int64_t length;		/* of all that was ever written */
	bool ended;		/* what writes the log is over and all of it has been read */
	char state[32];		/* of the build, run or task */
};
/* patient: an agent that is not there, or not yet, is only the exit code CLI_NO_AGENT. */
int client_log_read(struct cli *cli, const char *path, bool patient,
		    struct client_log *log) PS_MUSTCHECK;
/* Is there somebody at the socket? Prints nothing. */
bool client_agent_up(struct cli *cli);
/* One that takes as long as it takes; tell is called every few seconds meanwhile. */
typedef void client_tell_fn(struct cli *cli);
int client_post_long(struct cli *cli, const char *path, const json_t *body, client_tell_fn *tell,
		     json_t **out) PS_MUSTCHECK;
/* As client_get, but NULL when there is none, and nothing is said about why. */
json_t *client_peek(struct cli *cli, const char *path);
json_t *client_status(struct cli *cli);	/* of /status */
/* As client_post, but says nothing when the agent is not there: then CLI_NO_AGENT, *out NULL. */
int client_post_quiet(struct cli *cli, const char *path, const json_t *body,
		      json_t **out) PS_MUSTCHECK;

#endif
