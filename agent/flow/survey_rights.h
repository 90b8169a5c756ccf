/*
 * survey_rights – core's own word on who moved a ref, once it is known what the tree holds.
 *
 * The gate has asked the same at push, as a courtesy to honest pushers. Here it decides: a movement
 * that went past the gate (judged by a program of the pusher's, or under another configuration) and
 * would have been refused is held, until an owner lets it go.
 */
#ifndef PS_SURVEY_RIGHTS_H
#define PS_SURVEY_RIGHTS_H

#include "agent/store/event.h"
#include "common/config/config.h"

struct survey_moved {
	const struct config *config;
	const char *repository;		/* its name */
	const struct ref_event *e;
	const char *commit;		/* that its ref leads to now */
	const char *const *projects;	/* of the tree */
	size_t n;
};

/* *why: the reason to hold it; NULL: there is none, or somebody has let it go already. free()
 * it. */
int survey_rights(struct store_tx *tx, const struct survey_moved *m, char **why,
		  struct ps_err *err) PS_MUSTCHECK;

#endif
