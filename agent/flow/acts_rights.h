/*
 * acts_rights – who may act on an event's work: its pusher, the team that owns the fabric it goes
 * to, root and the agent's own user. Pure: the configuration and names in, yes or a reason out.
 */
#ifndef PS_ACTS_RIGHTS_H
#define PS_ACTS_RIGHTS_H

#include "agent/flow/acts.h"

/* pusher: login, NULL unknown. fabric: name, NULL none. */
bool acts_may(const struct config *cfg, const struct acts_person *who, const char *pusher,
	      const char *fabric);
/* PS_EPERM: "'bo' may not cancel e88: that is for ...", naming everybody who could. verb and what
 * are words of the sentence. */
int acts_check(const struct config *cfg, const struct acts_person *who, const char *verb,
	       const char *what, const char *pusher, const char *fabric,
	       struct ps_err *err) PS_MUSTCHECK;

#endif
