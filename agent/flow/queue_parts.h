/*
 * queue_parts – what queue.c hands to its parts: one file for each kind of work. Not for others.
 */
#ifndef PS_QUEUE_PARTS_H
#define PS_QUEUE_PARTS_H

#include <jansson.h>

#include "agent/flow/pass.h"
#include "agent/flow/queue.h"

/* queue_survey.c: asks the gate about a claimed event and stores its demands; lets a commit go, and
 * says queue_unkeep_over() when it may be asked to again. */
void queue_survey_start(struct core *c, const struct act *a);
void queue_unkeep(struct queue *q, struct core *c, const struct act *a);
void queue_unkeep_over(struct queue *q, int64_t event);

/* queue_parse.c: done is called once, when all that is wrong with the Python of the DAGs in there
 * that the ref of this repository leads to an Airflow stands in `problem` of their projects; its
 * own problem: core ends before that. */
typedef void queue_parse_fn(void *arg, const char *problem);
void queue_parse(struct core *c, const char *repository, const char *ref,
		 struct wire_surveyed *tree, queue_parse_fn *done, void *arg);

/* queue_build.c. Takes over what it needs of the act. */
void queue_build_start(struct core *c, struct act *a);
void queue_build_end(struct core *c, const struct wire_build_end *m);
/* Nobody needs it any more, or its claim has ended: the role shall stop working at it. */
void queue_build_cancel(struct core *c, const struct act *a);

/* queue_test.c. Takes over what it needs of the act. */
void queue_test_start(struct core *c, struct act *a);
void queue_test_end(struct core *c, const struct wire_test_end *m);
int recover_tests(struct store_tx *tx, void *arg, struct ps_err *err);

/* observe.c */
void queue_observe(struct core *c, const struct act *a);

/* queue_deploy.c */
void queue_deploy_start(struct core *c, const struct act *a);
void queue_step_begin(struct core *c, const struct wire_step_begin *m);
void queue_step_done(struct core *c, const struct wire_step_done *m);
void queue_deploy_end(struct core *c, const struct wire_deploy_end *m);
/* queue.c: starts a running deployment (0: all) again, with a new fence. */
void queue_deploy_again(struct core *c, int64_t only);

/* queue_run.c */
void queue_run_start(struct core *c, const struct act *a);
/* lease_ms: the claim lasts that long from now. */
void queue_task_state(struct core *c, const struct wire_task_state *m, int64_t lease_ms);
void queue_run_end(struct core *c, uint64_t run, uint64_t fence, const char *state,
		   const char *reason);

/* queue_remote.c: the same for runs at a provider, which the deploy role looks after. */
void queue_remote_start(struct core *c, const struct act *a);
void queue_remote_seen(struct core *c, const struct wire_remote_seen *m);
void queue_remote_stop(struct core *c, int64_t id, int64_t fence, const char *why);
/* The role is new: each of them is claimed anew by the next pass. */
int recover_remote(struct store_tx *tx, void *arg, struct ps_err *err);
/* queue.c: a pass in that time, if none comes before. */
void queue_kick_in(struct queue *q, int64_t ms);

/* queue_cancel.c: kind b, t or x; the claim that shall end, and why (NULL: not said in its log). */
void queue_stop(struct core *c, char kind, int64_t id, int64_t fence, const char *why);
/* Where the gate exports to for a claim: a folder that no other claim has. free() it. */
char *queue_export_dest(const struct core *c, char kind, int64_t id, int64_t fence);

/* queue_recover.c: after a start of ours or of a role. Run functions for store_write(). */
int recover_surveys(struct store_tx *tx, void *arg, struct ps_err *err);
int recover_builds(struct store_tx *tx, void *arg, struct ps_err *err);
/* arg: a struct pass */
int recover_deployments(struct store_tx *tx, void *arg, struct ps_err *err);

/* What run.spec holds: the tasks as they are started. */
struct run_spec { json_t *doc; struct wire_task *tasks; size_t n; };
int run_spec_read(struct run_spec *s, const char *text, struct ps_err *err) PS_MUSTCHECK;
void run_spec_clear(struct run_spec *s);

#endif
