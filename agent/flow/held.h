/*
 * held – letting held events go, by whom, and who could when it is refused. See store/hold.h.
 *
 * It is for the owners of every fabric that the event may reach, or the admin; and never for
 * somebody who may have pushed it himself, unless each of those fabrics has self_approval.
 */
#ifndef PS_HELD_H
#define PS_HELD_H

#include "agent/flow/core.h"
#include "agent/store/event.h"

struct held_person { const char *login, *shown; bool admin; };

/* 0, or PS_EPERM with who could. his: he may have pushed it. Pure. */
int held_may(const struct config *cfg, const struct ref_event *e, const struct held_person *who,
	     bool his, struct ps_err *err) PS_MUSTCHECK;

#endif
