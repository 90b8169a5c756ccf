/* queue_remote – a run at a provider, under way: asked of the deploy role by claim, what it hears
 * into the store, and that it is there back to who looks after it. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/note.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/id.h"
#include "common/base/log.h"

/* A claim lasts that long without a word; one that nobody looks after any more ends soon. */
enum { LOST_MS = 1000 };

/* Nobody else's, whatever store or instance he has: the same number may be given twice. */
static void token_of(const struct run *r, char out[64])
{
	char hex[DIGEST_HEX];
	char *text = xasprintf("x%lld %lld %s %s %s", (long long)r->id, (long long)r->created_ms,
			       r->release, r->job, r->who);

	digest_bytes(hex, text, strlen(text));
	snprintf(out, 64, "penstock-x%lld-%.24s", (long long)r->id, hex);
	free(text);
}

static const char **strings_of(const json_t *params, bool values, size_t *n)
{
	const char **v = xcalloc(json_object_size(params) + 1, sizeof(*v));
	const char *name;
	json_t *value;

	*n = 0;
	json_object_foreach((json_t *)params, name, value)
		v[(*n)++] = values ? json_string_value(value) : name;
	return v;
}

void queue_remote_start(struct core *c, const struct act *a)
{
	const struct run *r = &a->run;
	json_t *spec = json_loads(r->spec, 0, NULL);
	json_t *params = r->params ? json_loads(r->params, 0, NULL) : NULL;
	size_t nnames, nvalues;
	const char **names = strings_of(params, false, &nnames);
	const char **values = strings_of(params, true, &nvalues);
	const char *digest = json_string_value(json_object_get(spec, "digest"));
	const char *name = json_string_value(json_object_get(spec, "name"));
	char token[64];

	token_of(r, token);
	if (!digest || !name)
		queue_run_end(c, (uint64_t)a->id, (uint64_t)a->fence, "failed",
			      "a stored run is not what was written");
	else /* not connected: its hello lets the claim go */
		core_tell(c, CORE_DEPLOY, MSG_remote_run,
			  &(struct wire_remote_run) {
				  .run = (uint64_t)a->id, .fence = (uint64_t)a->fence,
				  .fabric = r->fabric, .repository = a->name,
				  .project = r->project, .release = r->release,
				  .content = c->paths->artifacts, .job = r->job, .name = name,
				  .digest = digest,
				  .job_id = json_string_value(json_object_get(spec, "job_id")),
				  .token = token, .remote = r->remote_id, .config = r->config,
				  .names = { names, nnames }, .values = { values, nvalues },
				  .repair = (uint64_t)r->repair, .cancel = r->cancel });
	free(names);
	free(values);
	json_decref(params);
	json_decref(spec);
}

/* ---- what is heard of it ---- */

struct heard {
	struct core *core;
	int64_t id, fence;
	struct run seen;
	bool lost;
};

static int write_heard(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct heard *h = arg;

	return run_seen(tx, h->id, h->fence, &h->seen, err);
}

static void heard_done(void *arg, int rc, const struct ps_err *err)
{
	struct heard *h = arg;
	struct wire_remote_ok ok = { .run = (uint64_t)h->id, .fence = (uint64_t)h->fence,
				     .stop = rc < 0 };

	if (rc < 0)
		log_info("run", NULL, "x%lld: %s", (long long)h->id, ps_err_msg(err, rc));
	if (!h->lost)
		core_tell(h->core, CORE_DEPLOY, MSG_remote_ok, &ok);
	else if (rc == 0)
		queue_kick_in(h->core->queue, 2 * LOST_MS);
	free(h->seen.remote_id);
	free(h->seen.url);
	free(h->seen.detail);
	free(h);
}

void queue_remote_seen(struct core *c, const struct wire_remote_seen *m)
{
	struct heard *h = xcalloc(1, sizeof(*h));

	*h = (struct heard) {
		.core = c, .id = (int64_t)m->run, .fence = (int64_t)m->fence, .lost = m->lost,
		.seen = { .remote_id = xstrdup_null(m->remote), .url = xstrdup_null(m->url),
			  .repair = (int64_t)m->repair, .detail = xstrdup_null(m->problem),
			  .lease_ms = clock_wall_ms() + (m->lost ? LOST_MS : LEASE_REMOTE_MS) },
	};
	store_write(c->store, STORE_FULL, write_heard, heard_done, h);
}

void queue_remote_stop(struct core *c, int64_t id, int64_t fence, const char *why)
{
	/* not connected: the wish goes with its next claim */
	core_tell(c, CORE_DEPLOY, MSG_cancel,
		  &(struct wire_cancel) { .kind = "run", .id = (uint64_t)id,
					  .fence = (uint64_t)fence, .reason = why });
}

int recover_remote(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return runs_let_go(tx, err);
}
