/*
 * auth – who is at the other end of the socket, and what may he do.
 *
 * The uid comes from SO_PEERCRED, its login from the system. Whoever is in a team may look; root
 * and the agent's own user may look too, and they alone may stop, reload and adopt. With
 * `identity: { trusted_caller: true }` the agent's own user may speak as any member (Penstock-As);
 * history then says "root (as kim)".
 *
 * A token (api_token.c) speaks for its owner, "kim (token k3)": as a member of teams, never with
 * the rights of root or of the agent's own user, and never as somebody else.
 */
#ifndef PS_AUTH_H
#define PS_AUTH_H

#include "agent/flow/core.h"

struct person {
	uint32_t uid;
	char login[PS_NAME_MAX + 1];	/* who acts: the member spoken as, else the caller */
	char shown[PS_NAME_MAX * 2 + 8];
	bool admin;			/* root or the agent's own user, speaking for himself */
};

/* as: value of Penstock-As or NULL. PS_EPERM says why not. */
int auth_person(struct person *p, const struct config *cfg, uint32_t uid, const char *as,
		struct ps_err *err) PS_MUSTCHECK;
/* Is he in any team at all, or an admin? */
int auth_may_look(const struct person *p, const struct config *cfg,
		  struct ps_err *err) PS_MUSTCHECK;
/* The same, and an admin has to be in one too. */
int auth_is_member(const struct person *p, const struct config *cfg,
		   struct ps_err *err) PS_MUSTCHECK;
int auth_may_run(const struct person *p, const struct config *cfg, const char *fabric,
		 struct ps_err *err) PS_MUSTCHECK;
/* Pause and resume: the scope's owners (environment, fabric) or an admin; the rest an admin alone.
 */
int auth_may_pause(const struct person *p, const struct config *cfg, const char *scope,
		   const char *name, struct ps_err *err) PS_MUSTCHECK;
int auth_is_admin(const struct person *p, struct ps_err *err) PS_MUSTCHECK;

#endif
