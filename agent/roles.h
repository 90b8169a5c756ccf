/*
 * roles – the four programs that penstockd starts, and who may talk to whom.
 *
 * roles_start() makes the socketpairs and starts every role; a role that dies is started again with
 * a growing delay, and core is handed a new connection to it. When core dies all start anew,
 * because what the others were doing was asked for by a core that is gone. All starts are of the
 * programs that were there at the first, whatever has been installed since.
 */
#ifndef PS_ROLES_H
#define PS_ROLES_H

#include "agent/loop/peer.h"
#include "agent/users.h"
#include "common/config/config.h"
#include "common/config/paths.h"

struct roles;

struct roles_ops {
	/* Every role has begun its work: the agent answers from now on. */
	void (*on_ready)(void *arg);
	/* Before that: a role says that it cannot work with what it found (its log line says
	 * why). */
	void (*on_refused)(const char *role, void *arg);
	/* All roles have ended after roles_stop(). */
	void (*on_stopped)(void *arg);
	/* Core passes on what somebody asked by the API: "stop", "reload". */
	void (*on_asked)(const char *what, uint64_t id, void *arg);
	/* A reload ended: NULL problem when every role took it. */
	void (*on_reloaded)(uint64_t id, const char *problem, void *arg);
};

/* paths and users stay the caller's and must outlive the roles. */
int roles_start(struct roles **out, struct loop *loop, const struct ps_paths *paths,
		const struct users *users, const char *instance, const char *yaml, size_t yaml_len,
		const struct roles_ops *ops, void *arg, struct ps_err *err) PS_MUSTCHECK;
/* Offers new bytes to every role; all take them or none. One reload at a time (PS_EBUSY). */
int roles_reload(struct roles *rs, uint64_t id, const char *yaml, size_t yaml_len,
		 struct ps_err *err) PS_MUSTCHECK;
/* The answer for whoever asked through core. */
void roles_tell_core(struct roles *rs, uint64_t id, const char *problem, const char *text);
/* Asks every role to end; those that do not within 10 s are killed. on_stopped comes then. */
void roles_stop(struct roles *rs, const char *why);
void roles_free(struct roles *rs);

#endif
