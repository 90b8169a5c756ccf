/*
 * recheck – `penstock check` of the repository of demo.h, twice: with what is remembered and with
 * nothing. For tests linked with -Wl,--wrap=stamp_now, whose clock may stand.
 */
#ifndef TEST_RECHECK_H
#define TEST_RECHECK_H

#include <time.h>

#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/gate/gate.h"
#include "tests/support/demo.h"

static struct ps_err err;
static struct config *config;

/* ---- the clock: as it is, or standing ---- */

static int64_t stands_at = -1;

static inline int64_t exact(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Not cut to seconds: where the tests run, times of files are not either. */
int64_t __wrap_stamp_now(void);

int64_t __wrap_stamp_now(void)
{
	return stands_at >= 0 ? stands_at : exact(CLOCK_REALTIME_COARSE);
}

/* Until all that was done lies in the past of the file systems' clock, which ticks in
 * milliseconds. */
static inline void settle(void)
{
	int64_t from = exact(CLOCK_REALTIME);

	while (exact(CLOCK_REALTIME_COARSE) <= from)
		;
}

/* ---- checking ---- */

/* What is asked beside the folder. */
static struct gate_check asking;

/* What a check says, and (asked may be NULL) what it asked of the disk. */
static inline char *check(const char *path, bool fresh, struct gate_checked *asked)
{
	struct gate_check c = { .path = path, .config = config, .fresh = fresh,
				.all_new = asking.all_new, .ref = asking.ref,
				.repo_name = asking.repo_name, .against = asking.against,
				.who = asking.who };
	struct gate_checked out;
	struct buf text = BUF_INIT;
	int rc = gate_check(&c, &out, &err);

	if (rc < 0)
		buf_addf(&text, "%s\n", err.msg);
	buf_addf(&text, "%d %zu projects, %zu errors, against %s\n", rc, out.nprojects,
		 out.found.errors, out.against ? out.against : "nothing");
	for (size_t i = 0; i < out.found.n; i++)
		buf_addf(&text, "%s|", out.found.v[i].key);
	diag_print_source(&text, &out.found, 0);
	if (asked)
		*asked = (struct gate_checked) { .counts = out.counts, .asked = out.asked };
	gate_checked_clear(&out);
	return buf_steal(&text);
}

static inline void same_as_fresh(const char *path, struct gate_checked *asked)
{
	char *fresh = check(path, true, NULL), *known = check(path, false, asked);

	assert_string_equal(fresh, known);
	free(fresh);
	free(known);
}

/* Was all of it as it was, and said without opening anything? There are always findings, and the
 * files that they are about would be read for their lines. */
static inline bool at_once(const struct gate_checked *c)
{
	return c->asked.listed + c->asked.opened == 0 && c->counts.units &&
		c->counts.known == c->counts.units;
}

#endif
