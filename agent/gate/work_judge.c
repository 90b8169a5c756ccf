/*
 * work_judge – one push, judged from its quarantine.
 *
 * The gate gets nine tenths of the time there is, so that its own "undecided" still arrives before
 * the pool loses its patience with this process.
 */
#include "config.h"

#include "agent/gate/work.h"

#include "agent/gate/verdicts.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/gate/gate.h"
#include "common/gate/memo.h"
#include "common/gate/outlook.h"

/* With less than the rest of the time left nobody looks ahead. */
enum { OUTLOOK_SHARE = 2 };

/* The quarantine's folders come from a message: they too must be below a root, or a finding could
 * show what the pusher may not read. */
static int admit_folder(struct work *w, const char *dir, struct ps_err *err)
{
	char *real = realpath(dir, NULL), *name = NULL;
	int rc = 0;

	if (!real)
		return ps_err_errno(err, "cannot find the object folder '%s'", dir);
	if (!config_root_of(w->cfg, w->paths->base, real, &name))
		rc = ps_err_set(err, PS_EPERM, "the object folder '%s' is below no root of the "
				"configuration", real);
	free(name);
	free(real);
	return rc;
}

static int admit_quarantine(struct work *w, const struct wire_judge *q, struct ps_err *err)
{
	int rc = q->object_dir ? admit_folder(w, q->object_dir, err) : 0;
	struct buf dir = BUF_INIT;

	for (const char *p = q->alternates; rc == 0 && p && *p;) {
		p = repo_next_alternate(p, &dir);
		if (dir.len && fs_exists(buf_str(&dir)))
			rc = admit_folder(w, buf_str(&dir), err);
	}
	buf_clear(&dir);
	return rc;
}

static struct wire_ref_line *lines_of(const struct wire_judge *q, const struct gate_result *res)
{
	struct wire_ref_line *v = xcalloc(q->refs.n, sizeof(*v));

	for (size_t i = 0; i < q->refs.n; i++) {
		const struct gate_ref *ref = &res->refs[i];

		v[i] = q->refs.v[i];
		v[i].target = ps_streq(ref->target, v[i].ref) ? NULL : ref->target;
		v[i].seen = *ref->seen ? ref->seen : NULL;
	}
	return v;
}

static int tell(struct work *w, const struct wire_judge *q, const struct gate_result *res,
		const struct outlook *o, const char *id, int64_t stamp, struct ps_err *err)
{
	struct wire_ref_line *v = lines_of(q, res);
	struct wire_verdict a = {
		.id = q->id, .verdict = gate_verdict_word(res->verdict), .repository_id = id,
		.errors = res->all.errors, .warnings = res->all.n - res->all.errors,
		.problem = res->slow, .stamp = (uint64_t)stamp, .units = res->counts.units,
		.known = res->counts.known, .reads = res->counts.reads, .skipped = res->skipped,
	};
	int rc;

	a.text = buf_str(&res->text);
	a.refs.v = v;
	a.refs.n = q->refs.n;
	if (!o->gone) {
		a.projects.v = o->projects;
		a.projects.n = o->nprojects;
		a.outlook.v = o->rows;
		a.outlook.n = o->nrows;
	}
	rc = work_reply(w, MSG_verdict, &a, err);
	if (rc == PS_ELIMIT && a.outlook.n) {	/* what a forecast needs is no part of a verdict */
		a.projects.n = a.outlook.n = 0;
		rc = work_reply(w, MSG_verdict, &a, err);
	}
	free(v);
	return rc;
}

static struct gate_command *commands_of(const struct wire_judge *q)
{
	struct gate_command *v = xcalloc(q->refs.n, sizeof(*v));

	for (size_t i = 0; i < q->refs.n; i++)
		v[i] = (struct gate_command) {
			q->refs.v[i].old, q->refs.v[i].new, q->refs.v[i].ref,
		};
	return v;
}

/* Judging goes on without the file; why it cannot be had is said once per worker. */
static struct memo *open_memo(struct work *w)
{
	struct memo_behind behind = { verdicts_get, NULL };
	struct ps_err err;

	if (!w->tried && verdicts_open(&w->verdicts, w->paths->verdicts, &err) < 0)
		log_warn("gate", NULL, "pushes are judged anew each time: %s", err.msg);
	w->tried = true;
	behind.arg = w->verdicts;
	return memo_new(w->program, w->verdicts ? &behind : NULL);
}

/* After the answer: nobody waits for it. */
static void close_memo(struct work *w, struct memo *memo)
{
	struct ps_err err;

	if (w->verdicts && verdicts_put(w->verdicts, memo, &err) < 0)
		log_warn("gate", NULL, "%s", err.msg);
	memo_free(memo);
}

int work_judge(struct work *w, const struct msg *m, struct ps_err *err)
{
	const struct wire_judge *q = &m->u.judge;
	struct repo_quarantine quarantine = { q->object_dir, q->alternates };
	struct gate_who who = { q->pusher };
	int64_t now = clock_boot_ns(), left = (int64_t)q->deadline_ms * 1000000;
	struct outlook outlook = { .content = w->paths->artifacts,
				   .until_ns = now + left / OUTLOOK_SHARE };
	struct gate_result res = { 0 };
	struct gate_command *commands;
	struct gate_input in = {
		.ncommands = q->refs.n, .config = w->cfg,
		.deadline_ns = now + left / 10 * 9, .outlook = &outlook,
		.who = &who, .dry_run = q->dry_run, .skip = q->skip,
	};
	char *real, *name, id[REPO_ID];
	int64_t stamp;
	int rc = work_admit(w, q->repository, &real, &name, err);

	if (rc < 0)
		return rc;
	commands = commands_of(q);
	in.memo = open_memo(w);
	in.repo_name = name;
	in.commands = commands;
	rc = admit_quarantine(w, q, err);
	if (rc == 0)
		rc = repo_open(&in.repo, real, &quarantine, err);
	/* the id is made here too: the first push of all may come before the first look */
	if (rc == 0)
		rc = work_repo_id(in.repo, id, err);
	stamp = clock_boot_ns();
	if (rc == 0) {
		gate_judge(&in, &res);
		rc = tell(w, q, &res, &outlook, id, stamp, err);
	}
	close_memo(w, in.memo);
	repo_close(in.repo);
	outlook_clear(&outlook);
	gate_result_clear(&res);
	free(commands);
	free(real);
	free(name);
	return rc;
}
