/*
 * journal – the steps of one deployment, told to core before and after each.
 *
 * Core keeps the journal; the deploying child holds the other end of a socket. A step is on core's
 * disk as begun before anything is done, so that after a crash the next child knows that it must
 * look first.
 */
#ifndef PS_JOURNAL_H
#define PS_JOURNAL_H

#include "common/base/err.h"

struct journal {
	int sock;
	uint64_t deployment, fence;
	uint64_t step; /* the one that is begun, from 1 */
};

/* Begins the next step and waits until core has it on disk. PS_ESTALE: the claim is lost, stop
 * without doing anything; PS_EAGENT: core is gone. */
int journal_begin(struct journal *j, const char *what, struct ps_err *err) PS_MUSTCHECK;
/* What a step was about, if it was one job: done, it is as planned, and core writes that down. */
struct journal_job {
	const char *key;    /* "jobs/X"; NULL: not done */
	const char *remote; /* its id at the provider; NULL: not known */
};
/* Tells what became of the step: done, failed, unknown. detail and job may be NULL. */
int journal_done(struct journal *j, const char *outcome, const char *detail,
		 const struct journal_job *job, struct ps_err *err) PS_MUSTCHECK;
/* The last word: deployed, failed, unknown, stopped. unverified: why what is deployed is not as
 * planned; NULL: it is. */
int journal_end(struct journal *j, const char *state, const char *reason, const char *unverified,
		struct ps_err *err) PS_MUSTCHECK;

#endif
