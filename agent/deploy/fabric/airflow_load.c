/*
 * airflow_load – waiting until a version is in force.
 *
 * That the processor has loaded a file since it was laid there proves little: it may have opened
 * the one before. What proves it is the text of dag.py, where that has changed; else that the load
 * began later (3.x tells how long it took), or that there were two of them. The row of a DAG is
 * written before its import error is, so what is good must be so at two looks; and a file that is
 * replaced while it is loaded may fail once, so an error counts when it comes with a second load,
 * or stays.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <errno.h>
#include <time.h>

#include "common/base/clock.h"

enum { POLL_MAX_MS = 5000, MS_NS = 1000000, ERROR_STAYS_MS = 45000 };

void afl_sleep(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * MS_NS };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* Its answers tell the time in whole seconds: the next one is past what was done before. */
int afl_clock(struct afl *a, int64_t *ms, struct ps_err *err)
{
	const struct http_field one[] = { { "limit", "1" }, { NULL, NULL } };
	json_t *doc;
	int rc = afl_get(a, "/dags", one, &doc, err);

	json_decref(doc);
	*ms = a->server_ms ? a->server_ms + 1000 : clock_wall_ms();
	return rc;
}

bool afl_same_text(const char *a, const char *b)
{
	for (;;) {
		a += a[0] == '\r' && a[1] == '\n';
		b += b[0] == '\r' && b[1] == '\n';
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

/* ---- one look ---- */

static bool has_time_passed(const struct afl_load *l, const struct afl_row *r, int64_t since_ms)
{
	return l->loads >= 2 || (l->loads && r->began_ms >= since_ms);
}

/* A DAG may be made by another file of the archive: then there is no text to compare. */
static int is_new(struct afl *a, const struct afl_load *l, const struct afl_row *r,
		  int64_t since_ms, bool *yes, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	bool known = l->source && ps_ends(r->file, "/dag.py");
	int rc = known ? afl_source(a, l->dag_id, r, &text, err) : 0;

	if (rc == PS_ENOENT || rc == PS_EPERM) {
		known = false;
		rc = 0;
	}
	if (known)
		*yes = afl_same_text(buf_str(&text), l->source) &&
		       (l->differs || has_time_passed(l, r, since_ms));
	else
		*yes = has_time_passed(l, r, since_ms);
	buf_clear(&text);
	return rc;
}

static int look_at(struct afl *a, struct afl_load *l, int64_t since_ms, struct ps_err *err)
{
	struct afl_row r;
	bool yes = false;
	int rc = afl_row(a, l->dag_id, &r, err);

	if (rc == 0 && r.there && r.parsed_ms >= since_ms && r.parsed_ms != l->parsed_ms) {
		l->parsed_ms = r.parsed_ms;
		l->loads++;
	}
	if (rc == 0 && r.there && r.active && !r.broken && afl_is_ours(&r, l->dag_id))
		rc = is_new(a, l, &r, since_ms, &yes, err);
	l->good = yes ? l->good + 1 : 0;
	afl_row_clear(&r);
	return rc;
}

static int check_error(struct afl_load *l, const json_t *errors, int64_t since_ms,
		       struct ps_err *err)
{
	int64_t at, now = clock_boot_ns();
	char *trace = afl_error_of(errors, l->dag_id, since_ms, &at);
	int rc = 0;

	if (!trace)
		return 0;
	l->good = 0;
	if (!l->error_ms) {
		l->error_ms = at;
		l->error_boot_ns = now;
	} else if (at > l->error_ms || now - l->error_boot_ns > ERROR_STAYS_MS * (int64_t)MS_NS) {
		rc = ps_err_set(err, PS_EINVAL, "the DAG '%s' does not load: %s", l->dag_id, trace);
	}
	free(trace);
	return rc;
}

/* ---- all of them ---- */

/* What can be told of one that does not come. */
static int too_late(struct afl *a, const struct afl_load *l, int64_t limit_ms, struct ps_err *err)
{
	struct afl_row r;
	const char *why;
	int rc = afl_row(a, l->dag_id, &r, err);

	if (rc < 0)
		return rc;
	if (!r.there)
		why = "Airflow knows no such DAG: is 'dags' the folder that it reads, and does "
		      "dag.py make a DAG of that id?";
	else if (!afl_is_ours(&r, l->dag_id))
		why = "it comes from another file";
	else if (r.broken || !r.active)
		why = "it has import errors, or nothing looks into the folder any more";
	else
		why = "it is the version before: is its DAG processor running?";
	rc = ps_err_set(err, PS_ETIME,
			"the DAG '%s' is not in force after %lld s (load_within): %s", l->dag_id,
			(long long)(limit_ms / 1000), why);
	afl_row_clear(&r);
	return rc;
}

int afl_wait(struct afl *a, struct afl_load *v, size_t n, int64_t since_ms, int64_t limit_ms,
	     struct ps_err *err)
{
	int64_t until = clock_boot_ns() + limit_ms * MS_NS, pause = a->conf->http.retry_ms;

	for (;;) {
		const struct afl_load *late = NULL;
		json_t *errors = NULL;
		int rc = afl_errors(a, &errors, err);

		for (size_t i = 0; i < n && rc == 0; i++) {
			if (v[i].good < 2)
				rc = look_at(a, &v[i], since_ms, err);
			if (rc == 0)
				rc = check_error(&v[i], errors, since_ms, err);
			if (v[i].good < 2)
				late = &v[i];
		}
		json_decref(errors);
		if (rc < 0 || !late)
			return rc;
		if (clock_boot_ns() > until)
			return too_late(a, late, limit_ms, err);
		afl_sleep(pause);
		pause = pause * 5 / 4 + 1 > POLL_MAX_MS ? POLL_MAX_MS : pause * 5 / 4 + 1;
	}
}
