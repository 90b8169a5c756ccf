/*
 * role – what the four role programs have in common: how they start, take configuration and end.
 *
 * The parent starts `penstock-<role> INSTANCE` (`-`: the system's places) with its socket as
 * descriptor 3 (and, for all but core, the socket to core as descriptor 4). A role says hello, is
 * offered the configuration, starts its work at the first one it takes and says so (exit code 1
 * when it cannot), and ends, with all its children, when the parent's socket closes. A lost
 * connection to core ends a role too: the parent then starts all of them anew.
 */
#ifndef PS_ROLE_H
#define PS_ROLE_H

#include "agent/loop/peer.h"
#include "common/config/config.h"
#include "common/config/paths.h"

enum { ROLE_PARENT_FD = 3, ROLE_CORE_FD = 4 };

struct role;

struct role_ops {
	const char *name;		/* core, gate, build, deploy */
	bool has_core;			/* false for core itself */
	/* Once, with the first configuration in force. */
	int (*start)(struct role *r, struct ps_err *err);
	/* May this configuration be taken? NULL: yes. A problem goes into err. */
	int (*check_config)(struct role *r, const struct config *cfg, struct ps_err *err);
	/* A newer one is in force now (r->cfg); the old one is freed afterwards. NULL: nothing to
	 * do. */
	void (*on_config)(struct role *r);
	void (*on_core)(struct role *r, struct msg *m);		/* from core */
	/* what role.c does not know; NULL */
	void (*on_parent)(struct role *r, struct msg *m);
	void (*on_stop)(struct role *r);			/* end children, close; NULL */
	/* after the loop's last turn: free; NULL */
	void (*on_end)(struct role *r);
	/* What the role can and lacks, for `status`: fills at most max static texts. NULL. */
	size_t (*facts)(struct role *r, const char **out, size_t max);
};

struct role {
	const struct role_ops *ops;
	struct loop *loop;
	struct peer *parent, *core;
	struct ps_paths paths;
	struct config *cfg;		/* in force; NULL before the first */
	struct config *offered;
	struct buf yaml, offered_yaml;	/* their bytes */
	int handed, offered_fd;		/* the descriptor that came with each; -1: none */
	uint64_t offer_id;
	struct msg *early;		/* what core sent before the first configuration */
	size_t nearly, cap_early;
	void *self;			/* the role's own state */
	int exit_code;
	bool stopping;
	bool apart;			/* started by root, as another user: each role has one */
	const char *missing;		/* of its wall (wall.h); NULL: nothing */
};

/* The whole of a role's main(). Returns the exit code. */
int role_main(int argc, char **argv, const struct role_ops *ops);
/* Sends to core and logs when it cannot: then the connection is going down and the role with it. */
void role_tell_core(struct role *r, enum msg_type type, const void *body);
/* Ends the role after this turn of the loop. */
void role_stop(struct role *r, const char *why);

#endif
