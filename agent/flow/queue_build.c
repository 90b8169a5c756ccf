/* queue_build – a claimed build: export by the gate, work by the build role, its end in the
 * store. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/note.h"
#include "agent/flow/survey_json.h"
#include "agent/store/build_wish.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/log.h"

enum { EXPORT_LIMIT_MS = 300000 };

static int write_build_again(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct note *n = arg;

	return build_requeue(tx, n->id, n->fence, n->reason, err);
}

static int write_build_end(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct note *n = arg;
	struct build_result r = { .state = n->state, .reason = n->reason, .digest = n->digest,
				  .name = n->name, .last_lines = n->text, .size = n->size };

	return build_finish(tx, n->id, n->fence, &r, err);
}

static void build_again(struct core *c, int64_t id, int64_t fence, const char *why)
{
	struct note *n = note_new(c, (uint64_t)id, (uint64_t)fence);

	n->reason = xstrdup(why);
	log_warn("build", NULL, "b%lld goes back into the queue: %s", (long long)id, why);
	store_write(c->store, STORE_FULL, write_build_again, note_done, n);
}

void queue_build_end(struct core *c, const struct wire_build_end *m)
{
	struct note *n;

	if (strcmp(m->state, "passed") != 0 && strcmp(m->state, "cancelled") != 0)
		/* it may have changed: the next key is of the new one */
		core_ask_toolchain(c);
	if (strcmp(m->state, "again") == 0) {
		build_again(c, (int64_t)m->build, (int64_t)m->fence, m->reason ? m->reason :
			    "the build role could not do it");
		return;
	}
	n = note_new(c, m->build, m->fence);
	n->state = xstrdup(m->state);
	n->reason = xstrdup_null(m->reason);
	n->digest = xstrdup_null(m->digest);
	n->name = xstrdup_null(m->name);
	n->text = xstrdup_null(m->last_lines);
	n->size = (int64_t)m->size;
	store_write(c->store, STORE_FULL, write_build_end, note_done, n);
}

void queue_build_cancel(struct core *c, const struct act *a)
{
	queue_stop(c, 'b', a->id, a->fence, a->name);
}

struct starting {		/* a claimed build whose export is being made */
	struct core *core;
	struct build build;
	int64_t fence, slot, lease_ms;
	char *dest;
	char *sealed;			/* the key's artifact, where it has one */
};

static void starting_free(struct starting *s)
{
	build_clear(&s->build);
	free(s->dest);
	free(s->sealed);
	free(s);
}

static void fail_build(struct core *c, int64_t id, int64_t fence, const char *why)
{
	struct note *n = note_new(c, (uint64_t)id, (uint64_t)fence);

	n->state = xstrdup("failed");
	n->reason = xstrdup(why);
	store_write(c->store, STORE_FULL, write_build_end, note_done, n);
}

static void send_build(struct starting *s, const struct build_spec *spec)
{
	struct core *c = s->core;
	char project[DIGEST_HEX];
	char *log = xasprintf("%s/b%lld.log", c->paths->logs, (long long)s->build.id);
	struct wire_build_start m = {
		.build = (uint64_t)s->build.id, .fence = (uint64_t)s->fence,
			.slot = (uint64_t)s->slot,
		.export = s->dest, .pipeline = s->build.pipeline, .wheel = spec->wheel,
		.prefix = s->build.prefix, .log = log, .inputs = { spec->inputs, spec->n },
		.project_digest = project, .toolchain = s->build.toolchain,
		.sealed = s->sealed, .check = s->build.check_of != 0,
	};

	digest_bytes(project, spec->reduced, strlen(spec->reduced));
	if (!core_tell(c, CORE_BUILD, MSG_build_start, &m))
		build_again(c, s->build.id, s->fence, "the build role is not running");
	free(log);
}

static int write_started(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct starting *s = arg;
	int rc = build_started(tx, s->build.id, s->fence, err);

	if (rc == 0)
		rc = build_lease(tx, s->build.id, s->fence, clock_wall_ms() + s->lease_ms, err);
	return rc < 0 ? rc : build_sealed(tx, s->build.key, s->build.id, &s->sealed, err);
}

/* The claim is still ours, and the store says that it runs: now it may. */
static void on_started(void *arg, int rc, const struct ps_err *err)
{
	struct starting *s = arg;
	struct build_spec spec;
	struct ps_err why = { 0 };

	if (rc < 0 && rc != PS_ESTALE) {
		build_again(s->core, s->build.id, s->fence, ps_err_msg(err, rc));
	} else if (rc < 0) {
		log_info("build", NULL, "b%lld is not started: %s", (long long)s->build.id,
			 ps_err_msg(err, rc));
		/* what was exported for this claim goes, too */
		queue_stop(s->core, 'b', s->build.id, s->fence, NULL);
	} else if (s->core->role->stopping) {
		/* the next start queues it again */
	} else if (spec_from_json(&spec, s->build.spec, &why) < 0) {
		fail_build(s->core, s->build.id, s->fence, why.msg);
	} else {
		send_build(s, &spec);
		spec_clear(&spec);
	}
	core_kick(s->core);
	starting_free(s);
}

static void on_exported(void *arg, struct msg *m, const char *problem)
{
	struct starting *s = arg;

	if (!m) {
		build_again(s->core, s->build.id, s->fence, problem);
	} else if (m->u.done.problem) {
		fail_build(s->core, s->build.id, s->fence, m->u.done.problem);
	} else {
		store_write(s->core->store, STORE_NORMAL, write_started, on_started, s);
		return;
	}
	starting_free(s);
}

void queue_build_start(struct core *c, struct act *a)
{
	struct starting *s = xcalloc(1, sizeof(*s));
	struct build_spec spec;
	struct ps_err err = { 0 };

	s->core = c;
	s->build = a->build;
	memset(&a->build, 0, sizeof(a->build));
	s->fence = a->fence;
	s->slot = a->slot;
	s->lease_ms = c->policy->cfg->builder.time_ms + LEASE_GRACE_MS;
	s->dest = queue_export_dest(c, 'b', s->build.id, s->fence);
	if (spec_from_json(&spec, s->build.spec, &err) < 0) {
		fail_build(c, s->build.id, s->fence, err.msg);
		starting_free(s);
		return;
	}
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_export,
		 &(struct wire_export) { .repository = a->repository, .oid = s->build.commit_oid,
					 .project = s->build.project,
					 .inputs = { spec.inputs, spec.n }, .reduced = spec.reduced,
					 .dest = s->dest },
		 EXPORT_LIMIT_MS, on_exported, s);
	spec_clear(&spec);
}
