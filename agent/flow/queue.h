/*
 * queue – the loop's side of the work: runs passes, carries out what they say, takes the answers.
 *
 * All decisions are in the passes and their transactions; here are only messages. An answer that
 * comes for a claim that is no longer the row's (its fence was raised) changes nothing.
 */
#ifndef PS_QUEUE_H
#define PS_QUEUE_H

#include <jansson.h>

#include "agent/flow/core.h"
#include "agent/store/pause.h"

int queue_open(struct queue **out, struct core *c, struct ps_err *err) PS_MUSTCHECK;
void queue_close(struct queue *q);
/* Soon a pass. */
void queue_kick(struct queue *q);
/* A role has connected (its hello was read) or is gone. */
void queue_on_role(struct queue *q, enum core_role role, bool up);
/* Core ends, and its roles are gone: what waits to ask one of them ends. */
void queue_parse_end(struct core *c);
/* Messages of build and deploy that nobody asked for by id. False: not one of ours. */
bool queue_on_msg(struct queue *q, enum core_role from, struct msg *m);

/*
 * Asks for a run of a deployed job. who: as shown. repository and project may be "" (any), config
 * NULL (the job's own), params an object of texts or NULL. reply gets the id as text ("x7");
 * PS_ENOENT with what would have been right.
 */
void flow_run_request(struct core *c, const char *who, const char *job, const char *fabric,
		      const char *config, json_t *params, const char *project,
		      const char *repository, core_reply_fn *reply, void *arg);
/* Has the deploy role said "WHAT PROVIDER" of itself (runs, repairs)? True while it is not
 * there. */
bool flow_provider_can(const struct core *c, const char *what, const char *provider);

/* Stops what would begin in p's scope, or lets it go on (scope NULL: everything). The caller has
 * checked the scope and who asks. reply gets a sentence. */
void flow_pause(struct core *c, const struct pause *p, core_reply_fn *reply, void *arg);
void flow_resume(struct core *c, const char *scope, const char *name, const char *who,
		 core_reply_fn *reply, void *arg);
/* Copies the store to this file (absolute, not there yet). reply gets its size in bytes as text. */
void flow_backup(struct core *c, const char *path, core_reply_fn *reply, void *arg);

#endif
