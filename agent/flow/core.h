/*
 * core – the one role that decides: events, queue, releases, deployments, runs.
 *
 * One event loop; the store's two threads beside it. Everything that changes what is to be done
 * goes through the store and then core_kick(): a pass over what is open (queue.c) advances all that
 * can be advanced in one transaction and says what to tell the roles after the commit. So a crash
 * at any point leaves either the state before or the state after, and the next pass goes on from
 * there.
 */
#ifndef PS_CORE_H
#define PS_CORE_H

#include "agent/flow/ask.h"
#include "agent/flow/toolchains.h"
#include "agent/loop/role.h"
#include "agent/store/store.h"
#include "common/base/sign.h"

/* Who calls at a socket of core's. */
enum core_socket { CORE_HOOKS, CORE_API, CORE_SOCKETS };

/* The configuration in force, kept alive by whoever works with it on another thread. Counted on the
 * loop's thread only: take it before handing it to a thread, drop it in the done function. */
struct policy_now {
	struct config *cfg;
	char *base;			/* instance folder, for relative paths */
	struct sign_key *key;		/* signs releases; NULL: there is none */
	int refs;
};

enum core_role { CORE_GATE, CORE_BUILD, CORE_DEPLOY, CORE_ROLES };

struct core_peer {
	struct core *core;
	enum core_role no;
	struct peer *peer;		/* NULL: not connected, or its hello was not read yet */
	struct peer *coming;		/* until then */
	char **facts;			/* from its hello, for status */
	size_t nfacts;
	uint64_t pid;
};

struct parent_ask;
struct door;
struct intake;
struct queue;
struct disk;
struct clean;
struct sending;
struct api;

struct core {
	struct role *role;
	struct loop *loop;
	struct ps_paths *paths;
	struct store *store;
	struct policy_now *policy;
	struct core_peer roles[CORE_ROLES];
	struct asks *asks;
	struct toolchain_now toolchain;
	char toolchain_for[65];		/* the configuration that demands were last told it under */
	int64_t toolchain_asking_ms;	/* since when an answer is on its way; 0: none is */
	bool toolchain_ask_again;	/* something has changed since */
	struct door *door;		/* hooks' socket; intake behind it */
	struct intake *intake;
	struct queue *queue;
	struct parsing *parsing;	/* of queue_parse.c: those that wait for another try */
	struct disk *disk;		/* how full they are */
	struct clean *clean;
	struct sending *sending;	/* the outbox */
	struct drifting *drifting;	/* looks at fabrics */
	struct api *api;
	struct loop_watch *store_wake;
	int wake_fd;
	struct parent_ask *parent_asks;	/* questions to the parent that are not answered */
	uint64_t parent_ask;		/* number of the last one */
	int64_t started_ms;
};

struct policy_now *policy_take(struct policy_now *p);
void policy_drop(struct policy_now *p);

/* Something may be able to go on: a pass runs soon. Cheap; many calls make one pass. */
void core_kick(struct core *c);
/* Sends to a role; false (logged) when it is not connected. */
bool core_tell(struct core *c, enum core_role to, enum msg_type type, const void *body);
/* A socket that listens, non-blocking, for the caller: one that the service manager had made, else
 * one of our own in the run folder. */
int core_listen(const struct core *c, enum core_socket which, struct ps_err *err) PS_MUSTCHECK;
/* Asks the build role for its toolchains again: at its hello, after a reload, now and then while
 * one is missing, and for demands that came since it was asked. One question at a time. */
void core_ask_toolchain(struct core *c);
/* A write whose failure has no other listener: logs it and goes on. For the done argument. */
void core_log_done(void *arg, int rc, const struct ps_err *err);

/* ---- doors for agent/web ---- */

/* reply is called once, on the loop: problem NULL means done; text says what. */
typedef void core_reply_fn(void *arg, int rc, const char *problem, const char *text);

/* Records a baseline for the repository at this path, unless it has one: its refs as they are make
 * no event. In intake. */
void flow_adopt(struct core *c, const char *repository, core_reply_fn *reply, void *arg);
/* Looks at it no more; its hooks were taken out. */
void flow_forget(struct core *c, const char *repository, core_reply_fn *reply, void *arg);
/* Makes an event on purpose of a ref that has its baseline alone; path need not be real. */
void flow_adopt_ref(struct core *c, const char *path, const char *ref, const char *who,
		    core_reply_fn *reply, void *arg);
/* Lets a held event go, or all that are held with it; text says how many. */
void flow_release_hold(struct core *c, int64_t event, bool alone, const char *login,
		       const char *shown, bool admin, const char *why, core_reply_fn *reply,
		       void *arg);
/* The spool at its last take; of what was set aside, the first `told` with their reasons. */
struct flow_spool_facts { size_t waiting, aside, told; char *const *names, *const *why; };
void flow_spool_facts(const struct core *c, struct flow_spool_facts *out);
/* Copies of repositories whose words wait in the spool for an id of their own, one per call. */
bool flow_spool_waits(const struct core *c, size_t at, const char **path, const char **why);
struct flow_reconciled { size_t repositories, listed, events, problems; };
typedef void flow_reconcile_fn(void *arg, const char *problem, const struct flow_reconciled *done);
/* Looks at one repository (name, or absolute path), or at all (NULL): those that have changed, with
 * full every one. fn is called once, on the loop. */
void flow_reconcile(struct core *c, const char *repository, bool full, flow_reconcile_fn *fn,
		    void *arg);
/* Since core started. */
struct flow_reconcile_facts {
	size_t passes, frames, statted, listed, events;
	int64_t last_ms;		/* 0: no pass has ended yet */
	struct flow_reconciled last;
	size_t at, of;			/* of the pass under way: asked about; of 0: none is */
};
const struct flow_reconcile_facts *flow_reconcile_facts(const struct core *c);
/* Repositories that are gone, another agent's, or cannot be looked at, one per call; *at starts at
 * 0. */
struct flow_trouble {
	const char *path, *name;
	int64_t gone_ms;
	const char *problem, *taken;	/* taken: by which other agent */
	int64_t taken_ms;
};
bool flow_reconcile_trouble(const struct core *c, size_t *at, struct flow_trouble *out);
/* "reload" and "stop" are the parent's to do. */
void flow_ask_parent(struct core *c, const char *what, core_reply_fn *reply, void *arg);

#endif
