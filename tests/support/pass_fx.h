/*
 * pass_fx – a store and a configuration for passes without a loop: what test_pass.c and
 * test_scale.c stand on. The store is real, the roles are the view that do_pass() gives.
 */
#ifndef PS_PASS_FX_H
#define PS_PASS_FX_H

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/flow/pass.h"
#include "agent/flow/survey_json.h"
#include "agent/store/event.h"
#include "agent/store/repository.h"
#include "agent/store/sql.h"
#include "agent/store/view.h"
#include "common/base/fsutil.h"
#include "common/base/id.h"

#define OID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ZERO "0000000000000000000000000000000000000000"
#define TREE "1111111111111111111111111111111111111111"
#define DIGEST "2222222222222222222222222222222222222222222222222222222222222222"

static const char yaml[] =
	"teams:\n  devs: { members: [ana] }\n"
	"fabrics:\n  dev: { id: 1, owner: devs, provider: local }\n"
	"  far: { id: 9, owner: devs, provider: local }\n"
	"  air: { id: 2, owner: devs, provider: airflow, airflow: { host: http://127.0.0.1:1 } }\n"
	"environments:\n"
	"  - { name: development, refs: [refs/heads/main], fabric: dev, deploy: auto }\n"
	"  - { name: urgent, refs: [refs/tags/v1], fabric: dev, deploy: auto, priority: 10 }\n"
	"  - { name: airflow, refs: [refs/heads/air], fabric: air, deploy: auto }\n"
	"  - { name: asked, refs: [refs/heads/asked], fabric: dev, deploy: approve }\n"
	"  - { name: derived, refs: [refs/heads/derived], fabric: far, deploy: auto,\n"
	"      jobs: { derive: [\n"
	"      { from: jobs/a, as: jobs/b, config: prod } ] } }\n"
	"  - { name: byhand, refs: [refs/heads/byhand], fabric: dev, deploy: manual }\n"
	"projects:\n  '**:**': { id: 7, owner: devs, customer: c, control_plane: p, url: "
		"http://127.0.0.1:2 }\n"
	"repositories:\n  roots: [{ path: repos, identity: uid, hook_users: ['0'] }]\n"
	"builders: { default: { slots: 1 } }\n";

struct fx {
	bool tests;			/* the pipeline of the next demand has some */
	bool two;			/* its project has a second pipeline */
	char dir[64];
	struct ps_paths paths;
	struct store *st;
	struct policy_now policy;
	int wake[2], rc;
	bool done;
	struct pass *pass;
	const char *ref, *repo, *tree;	/* what the next demand is of; NULL: always the same */
	unsigned moves;
	int64_t now_ms;			/* of the passes; 0: 1000 */
	int64_t asked_ms;		/* when the toolchain was asked for; 0: no matter */
	struct toolchain_one *toolchains;	/* besides the default that a pass is given */
	size_t ntoolchains;
	int64_t event;
	struct demand demand;
	json_t *wait;			/* what `penstock why` says of the demand */
};

/* core.c has the real one; ours lives in the fixture */
void policy_drop(struct policy_now *p)
{
	(void)p;
}

static inline void on_wake(void *arg)
{
	assert_int_equal(write(((struct fx *)arg)->wake[1], "x", 1), 1);
}

static inline int setup(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	struct diag_list diags = DIAG_LIST_INIT;
	struct ps_err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/ps-pass-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(ps_paths_init(&f->paths, f->dir, &err), 0);
	assert_int_equal(ps_paths_make(&f->paths, &err), 0);
	assert_int_equal(pipe(f->wake), 0);
	assert_int_equal(store_open(&f->st, f->paths.store, on_wake, f, &err), 0);
	assert_int_equal(config_parse(&f->policy.cfg, "penstock.yml", yaml, strlen(yaml), &diags,
				      &err), 0);
	assert_non_null(f->policy.cfg);
	diag_clear(&diags);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fx *f = *state;
	struct ps_err err;

	store_close(f->st);
	close(f->wake[0]);
	close(f->wake[1]);
	demand_clear(&f->demand);
	json_decref(f->wait);
	config_free(f->policy.cfg);
	ps_paths_clear(&f->paths);
	assert_int_equal(fs_remove_tree(AT_FDCWD, f->dir, &err), 0);
	free(f);
	return 0;
}

static inline void on_done(void *arg, int rc, const struct ps_err *err)
{
	struct fx *f = arg;

	f->rc = rc;
	f->done = true;
	if (rc < 0)
		print_message("%s\n", ps_err_msg(err, rc));
}

/* pass_run gets the pass, everything else the fixture. */
static inline int run_in_tx(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return pass_run(tx, ((struct fx *)arg)->pass, err);
}

static inline int do_write(struct fx *f, store_run_fn *run)
{
	f->done = false;
	store_write(f->st, STORE_FULL, run, on_done, f);
	while (!f->done) {
		struct pollfd p = { .fd = f->wake[0], .events = POLLIN };
		char c[64];

		/* ten thousand rows on a busy machine */
		assert_int_equal(poll(&p, 1, 120000), 1);
		assert_true(read(f->wake[0], c, sizeof(c)) > 0);
		store_poll(f->st);
	}
	return f->rc;
}

/* The next movement of f->ref: from where the last one ended to a value of its own. */
static inline int move_ref(struct store_tx *tx, struct fx *f, int64_t repository, int64_t *event,
			   struct ps_err *err)
{
	char new[41], *tail;
	struct ref_event e = { .repository = repository, .ref = (char *)f->ref, .new = new,
			       .kind = (char *)"sure", .k = -1, .pusher = (char *)"ana",
			       .state = (char *)"open", .boot = (char *)"b", .stamp = 2 };
	struct ref r = { 0 };
	int rc = ref_get(tx, repository, f->ref, &r, err);

	if (rc == PS_ENOENT)
		rc = ref_baseline(tx, repository, f->ref, ZERO, "b", 1, err);
	tail = xstrdup(r.tail ? r.tail : ZERO);
	snprintf(new, sizeof(new), "%040u", ++f->moves);
	e.old = tail;
	if (rc == 0)
		rc = event_append(tx, &e, err);
	if (rc == 0)
		rc = event_set_surveyed(tx, e.id, err);
	*event = e.id;
	free(tail);
	ref_clear(&r);
	return rc;
}

/* What the gate says of a project of one pipeline, or two. free() it. */
static inline char *a_survey(const char *tree, bool tests, bool two)
{
	const struct wire_pipeline pl[] = {
		{ .key = "pipelines/a", .name = "a", .language = "python",
		  .oid = tree ? tree : TREE, .wheel = "a-1.0-py3-none-any.whl",
		  .reduced = "name: p\n", .tests = tests },
		{ .key = "pipelines/b", .name = "b", .language = "python", .oid = TREE,
		  .wheel = "b-1.0-py3-none-any.whl", .reduced = "name: p\n" },
	};
	const struct wire_project pr = { .path = ".", .oid = TREE, .name = "p", .version = "1.0",
					 .language = "python", .pipelines = { pl, two ? 2 : 1 } };

	return survey_to_json(&pr);
}

/* A surveyed event of f->ref with a demand for a project of one pipeline. */
static inline int make_demand(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	const char *name = f->repo ? f->repo : "x";
	const struct conf_environment *env = NULL;
	struct repository r = { 0 };
	char *survey = a_survey(f->tree, f->tests, f->two), *path = xasprintf("/srv/%s.git", name);
	int rc = repository_put(tx, name, path, name, &r, err);

	for (size_t i = 0; i < f->policy.cfg->nenvironments; i++)
		if (strcmp(f->policy.cfg->environments[i].refs.v[0], f->ref) == 0)
			env = &f->policy.cfg->environments[i];
	if (rc == 0)
		rc = move_ref(tx, f, r.id, &f->event, err);
	if (rc == 0 && env) {
		struct demand d = { .event = f->event, .repository = r.id, .project = (char *)".",
				    .ref = (char *)f->ref, .commit_oid = (char *)OID,
				    .environment = env->name, .fabric = env->fabric,
				    .survey = survey, .priority = env->priority };

		rc = demand_insert(tx, &d, err);
		f->demand.id = d.id;
		if (rc == 0)
			rc = demand_supersede_older(tx, &d, err);
	}
	free(survey);
	free(path);
	repository_clear(&r);
	return rc;
}

static inline int read_demand(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	int64_t id = f->demand.id;

	demand_clear(&f->demand);
	return demand_get(tx, id, &f->demand, err);
}

static inline int read_wait(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	char id[ID_TEXT];
	struct view_ask ask = { .cfg = f->policy.cfg, .thing = id_text(id, 'e', f->demand.event) };
	json_t *root = NULL, *node;
	int rc = view_why(tx, &ask, &root, err);

	json_decref(f->wait);
	node = json_array_get(json_object_get(root, "children"), 0);
	f->wait = json_incref(node);
	json_decref(root);
	return rc;
}

/* A part of why the demand waits, as people get it. */
static inline const char *part(struct fx *f, const char *key)
{
	return json_string_value(json_object_get(f->wait, key));
}

/* It waits for this, and no part of why is missing. */
static inline void assert_waits(struct fx *f, const char *reason, const char *detail)
{
	static const char *const parts[] = { "reason", "detail", "blocked_by", "since", "lift" };

	assert_int_equal(do_write(f, read_wait), 0);
	for (size_t i = 0; i < PS_NELEM(parts); i++)
		if (!part(f, parts[i]))
			fail_msg("waiting for %s: no %s", reason, parts[i]);
	assert_true(json_is_integer(json_object_get(f->wait, "ahead")));
	assert_string_equal(part(f, "reason"), reason);
	if (!strstr(part(f, "detail"), detail))
		fail_msg("waiting for %s: '%s' without '%s'", reason, part(f, "detail"), detail);
}

static inline void demand_of(struct fx *f, const char *ref)
{
	f->ref = ref;
	assert_int_equal(do_write(f, make_demand), 0);
}

/* Of a repository of this name, with content of its own (40 digits). */
static inline int64_t demand_for(struct fx *f, const char *repo, const char *ref, const char *tree)
{
	f->repo = repo;
	f->tree = tree;
	demand_of(f, ref);
	f->repo = f->tree = NULL;
	return f->demand.id;
}

/* The state of another demand; what f->demand was stays. */
static inline void look_at(struct fx *f, int64_t demand)
{
	f->demand.id = demand;
	assert_int_equal(do_write(f, read_demand), 0);
}

/* What the world looks like to a pass. */
static inline struct pass *new_pass(const char *toolchain, const char *problem,
				    const char *sandbox, struct fx *f)
{
	static char *local[] = { (char *)"local" };
	struct pass *p = xcalloc(1, sizeof(*p));

	p->view = (struct pass_view) {
		.policy = &f->policy, .paths = &f->paths, .gate_up = true, .build_up = true,
		.deploy_up = true, .now_ms = f->now_ms ? f->now_ms : 1000,
		.toolchain = toolchains_copy(&(struct toolchain_now) {
			.known = true, .asked_ms = f->asked_ms, .problem = (char *)problem,
			.sandbox_problem = (char *)sandbox, .digest = (char *)toolchain,
			.prefix = (char *)(toolchain ? "/t" : NULL),
			.v = f->toolchains, .n = f->ntoolchains,
		}),
	};
	p->view.ndrivers = 1;
	p->view.drivers = xmemdup(local, sizeof(local));
	p->view.drivers[0] = xstrdup("local");
	return p;
}

/* One pass with this view; the demand afterwards is in f->demand. Returns the pass: its acts. */
static inline struct pass *do_pass(struct fx *f, const char *toolchain, const char *problem,
				   const char *sandbox)
{
	f->pass = new_pass(toolchain, problem, sandbox, f);
	assert_int_equal(do_write(f, run_in_tx), 0);
	assert_int_equal(do_write(f, read_demand), 0);
	return f->pass;
}

static inline size_t count(const struct pass *p, enum act_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nacts; i++)
		n += p->acts[i].kind == kind;
	return n;
}

static int64_t claimed_build, claimed_fence;

static inline int pass_the_build(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct build_result r = { .state = "passed", .digest = DIGEST,
				  .name = "a-1.0-py3-none-any.whl", .size = 1 };
	int rc = build_started(tx, claimed_build, claimed_fence, err);

	(void)arg;
	return rc < 0 ? rc : build_finish(tx, claimed_build, claimed_fence, &r, err);
}

static inline void take_claim(struct pass *p)
{
	assert_int_equal(count(p, ACT_BUILD), 1);
	claimed_build = p->acts[0].id;
	claimed_fence = p->acts[0].fence;
	pass_free(p);
}

#endif
