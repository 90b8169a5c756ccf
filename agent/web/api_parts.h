/*
 * api_parts – what the files of the API share: one request from its first byte to its answer.
 */
#ifndef PS_API_PARTS_H
#define PS_API_PARTS_H

#include "agent/store/view.h"
#include "agent/web/auth.h"
#include "agent/web/http.h"

struct request;

struct route {
	bool post;
	const char *path;		/* behind /api/v1; '*' stands for one part, the id */
	/* a read: runs on the store's reader, its JSON is the answer */
	view_fn *view;
	void (*finish)(struct request *r);	/* on the loop, completes r->out; NULL */
	void (*act)(struct request *r);	/* everything else: answers by itself */
	const char *word;		/* in the audit; NULL: the last part of path */
};

struct request {
	struct core *core;
	struct http_call *call;
	const struct route *route;
	struct policy_now *policy;	/* the one in force when it came */
	struct person who;
	bool speaks_as;			/* Penstock-As was there */
	bool by_token;			/* who is the owner of one */
	bool known;			/* he may look: what he is refused is for the audit */
	/* owned; ask points to them */
	char *id, *thing, *state, *repository, *ref, *project, *task;
	char *who_asked, *what, *audit_head;
	struct view_ask ask;
	json_t *out;
	int64_t offset, next, tail, elided, length;	/* logs */
	bool ended;
	struct buf bytes;
	char end_state[32];
	char *logs;			/* folder or file of the log */
};

/* Each ends the request. A change that is not for him who asks (PS_EPERM) goes into the audit. */
void request_done(struct request *r, int status, const json_t *doc);
void request_fail(struct request *r, int rc, const char *detail, const char *next);
void request_bytes(struct request *r, const char *type);	/* r->bytes */
/* For what flow answers with a JSON list as text, or says what is wrong. arg: the request. */
void request_items(void *arg, int rc, const char *problem, const char *text);
/* A member of a body; "" when it is not there or no text. */
const char *body_text(const json_t *body, const char *name);

/* 401: nobody can tell who asks. */
void request_unknown(struct request *r, const char *detail);
/* It is known who asks: does it. */
void request_go(struct request *r);

/* api_token.c */
/* authorization: the header. Goes on by request_go(), or ends the request. */
void token_identify(struct request *r, const char *authorization);
void act_token_create(struct request *r);
void act_token_revoke(struct request *r);
/* api_status.c */
int status_view(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err);
void status_finish(struct request *r);
/* Why nothing of a repository is taken into work; warnings (may be NULL) get it too. */
json_t *trouble_of(const struct flow_trouble *t, json_t *warnings);
/* api_act.c */
void act_run(struct request *r);
void act_adopt(struct request *r);
void act_forget(struct request *r);
void act_backup(struct request *r);
void act_clean(struct request *r);
void act_reload(struct request *r);
void act_stop(struct request *r);
/* api_reconcile.c */
void act_reconcile(struct request *r);
void act_release_hold(struct request *r);
/* api_outbox.c */
void act_resend(struct request *r);
/* api_import.c */
void act_import(struct request *r);
/* api_pause.c */
void act_pause(struct request *r);
void act_resume(struct request *r);
/* api_acts.c */
void act_thing(struct request *r);
void act_drain(struct request *r);
/* api_plan.c */
void act_plan(struct request *r);
void act_drift(struct request *r);
/* api_log.c */
void log_build(struct request *r);
void log_test(struct request *r);
void log_run(struct request *r);

#endif
