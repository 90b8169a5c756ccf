/*
 * api – the HTTP API of an instance, /api/v1, on its Unix socket.
 *
 * One table (api.c) says for each path: a view of the store that answers it, or an action of flow.
 * Who asks comes from SO_PEERCRED (auth.h), or from a token of a person; on the loopback address
 * that penstock.yml may name (api: { listen: 127.0.0.1:8730 }) from a token alone. Errors are
 * problem documents of RFC 9457 with one member of ours: `next`, the command to type now.
 */
#ifndef PS_API_H
#define PS_API_H

#include "agent/flow/core.h"

struct api;

/* Listens on paths->api_sock. The core must outlive it; its policy may change meanwhile. */
int api_open(struct api **out, struct core *c, struct ps_err *err) PS_MUSTCHECK;
/* Another configuration is in force: listens where it says. */
void api_on_config(struct api *a);
/* Why it does not listen where it should; NULL: it does. */
const char *api_problem(const struct api *a);
/* Ends every connection; answers that are still on their way are dropped. NULL is fine. */
void api_close(struct api *a);

#endif
