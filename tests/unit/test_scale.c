/* Ten thousand that wait cost what a hundred cost: counts of statements, rows and changes, never of
 * time. One store is filled twice, by SQL, and passes and views are run on each. */
#include "config.h"

#include "tests/support/pass_fx.h"

/* n of each: events with demands that wait for a build of their own, demands without a key, and
 * deployments that wait for an approval and for a fabric; of 50 repositories. */
static const char *const fill[] = {
	"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50) INSERT INTO"
	" repository (id, uid, path, name, adopted_ms) SELECT i, 'u' || i, '/r' || i, 'r' || i, 1 FROM c",
	"INSERT INTO release (id, project, manifest, created_ms) VALUES ('rel', '.', '{}', 1)",
	"INSERT INTO label (id, release, repository, project, ref, commit_oid, version, event, created_ms)"
	" VALUES (1, 'rel', 1, '.', 'refs/heads/main', '" OID "', 'v', 1, 1)",
	NULL,
};

#define EACH "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?) INSERT INTO "
#define DEMAND(env) "(id, event, repository, project, ref, commit_oid, environment, fabric, state, since_ms," \
	" survey, toolchain, created_ms, look, release, priority) SELECT i * 4 + ?, i, i % 50 + 1, 'p' || i," \
	" 'refs/heads/main', '" OID "', '" env "', 'dev', 'waiting', 5, ?, "
#define DEPLOYMENT(env, fabric, kind) \
	EACH "deployment (demand, release, label, repository, project, environment, fabric, state, since_ms, fence," \
	" lease_ms, tries, created_ms, turn) SELECT i * 4 + " kind ", 'rel', 1, i % 50 + 1, 'p' || i, '" env "'," \
	" '" fabric "', 'waiting', 5, 0, 0, 0, i, i / 50 FROM c"

static const struct { const char *sql, *types; } fill_n[] = {
	{ EACH "event (id, repository, ref, seq, old, new, kind, k, state, boot, stamp, at_ms, surveyed)"
	  " SELECT i, i % 50 + 1, 'refs/heads/b' || i, 1, '" ZERO "', '" OID "', 'sure', -1, 'open', 'b', 1, i, 1"
	  " FROM c", "i" },
	{ EACH "event (id, repository, ref, seq, old, new, kind, k, state, boot, stamp, at_ms, surveyed)"
	  " SELECT i + 100000, i % 50 + 1, 'refs/heads/u' || i, 1, '" ZERO "', '" OID "', 'sure', -1, 'open', 'b', 1,"
	  " i, 0 FROM c", "i" },
	/* keyed: 4i; keyless: 4i + 1; deploying: 4i + 2 and 4i + 3 */
	{ EACH "demand " DEMAND("development") "'t', i, 0, NULL, 0 FROM c", "iit" },
	{ EACH "demand " DEMAND("development") "NULL, i, 0, NULL, 0 FROM c", "iit" },
	{ EACH "demand " DEMAND("asked") "'t', i, 0, 'rel', 0 FROM c", "iit" },
	{ EACH "demand " DEMAND("airflow") "'t', i, 0, 'rel', 0 FROM c", "iit" },
	{ EACH "build (id, key, repository, project, commit_oid, pipeline, spec, state, since_ms, slot, fence,"
	  " lease_ms, toolchain, prefix, created_ms, turn) SELECT i, 'k' || i, i % 50 + 1, 'p' || i, '" OID "',"
	  " 'pipelines/a', ?, 'queued', 5, -1, 0, 0, 't', '/t', i + ?, i / 50 FROM c", "iti" },
	{ EACH "demand_build (demand, build, pipeline) SELECT i * 4, i, 'pipelines/a' FROM c", "i" },
	{ DEPLOYMENT("asked", "dev", "2"), "i" }, { DEPLOYMENT("airflow", "air", "3"), "i" },
	{ EACH "run (fabric, repository, project, job, release, who, state, since_ms, slot, fence, spec,"
	  " created_ms, turn) SELECT 'dev', i % 50 + 1, '.', 'jobs/j', 'rel', 'ana', 'queued', 5, -1, 0, '[]', i,"
	  " i / 50 FROM c", "i" },
};

static int64_t how_many;
static char *blob;		/* a survey; what a row carries beside it is not less */

static int fill_store(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; fill[i] && rc >= 0; i++)
		rc = sql_run(tx, err, fill[i], "");
	for (size_t i = 0; i < PS_NELEM(fill_n) && rc >= 0; i++) {
		int64_t kind = i >= 2 && i < 6 ? (int64_t)i - 2 : 0;

		if (strcmp(fill_n[i].types, "iit") == 0)
			rc = sql_run(tx, err, fill_n[i].sql, "iit", how_many, kind, blob);
		else if (strcmp(fill_n[i].types, "iti") == 0)	/* not overdue: by turns */
			rc = sql_run(tx, err, fill_n[i].sql, "iti", how_many, blob, (int64_t)900);
		else
			rc = sql_run(tx, err, fill_n[i].sql, "i", how_many);
	}
	/* each at a gate of its own, judged by the configuration in force */
	if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE deployment SET gate = 'approval', detail = 'devs 0/1', blocked_by ="
			     " 'team devs', lift = 'penstock approve d' || id, gate_policy = ? WHERE environment = 'asked'",
			     "t", ((struct fx *)arg)->policy.cfg->digest);
	return rc < 0 ? rc : 0;
}

struct measured {
	struct fx *f;
	view_fn *view;
	struct sql_cost cost;
	size_t bytes;		/* of the answer */
};

static struct sql_cost since(struct store_tx *tx, struct sql_cost before)
{
	struct sql_cost now = sql_cost(tx);

	return (struct sql_cost) { now.statements - before.statements, now.rows - before.rows,
				   now.changes - before.changes, now.steps - before.steps };
}

static struct measured it;	/* what the next write measures */

static int measure_pass(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct sql_cost before = sql_cost(tx);
	int rc = pass_run(tx, ((struct fx *)arg)->pass, err);

	it.cost = since(tx, before);
	return rc;
}

static int measure_view(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct view_ask ask = { .cfg = f->policy.cfg };
	struct sql_cost before = sql_cost(tx);
	json_t *out = NULL;
	int rc = it.view(tx, &ask, &out, err);

	it.cost = since(tx, before);
	it.bytes = json_dumpb(out, NULL, 0, JSON_COMPACT);
	json_decref(out);
	return rc;
}

/* What one of these costs, each run on its own store. */
enum { NO_TOOLCHAIN, FIRST_PASS, SECOND_PASS, IDLE_PASS, WITH_TOOLCHAIN, ONE_MISSING, QUEUE, FABRICS, FAILING, COSTS };
static const char *const names[COSTS] = { "pass without anything", "first pass", "second pass",
					  "pass with nothing to do",
					  "pass that keys demands",
					  "pass with one missing",
					  "view of the queue", "view of the fabrics",
					  "view of what fails" };

static void pass_cost(struct fx *f, const char *toolchain, const char *sandbox,
		      struct sql_cost *out)
{
	struct pass *p = new_pass(toolchain, toolchain ? NULL : "there is none", sandbox, f);

	f->pass = p;
	assert_int_equal(do_write(f, measure_pass), 0);
	*out = it.cost;
	pass_free(p);
}

static void view_cost(struct fx *f, view_fn *view, struct sql_cost *out)
{
	it.view = view;
	assert_int_equal(do_write(f, measure_view), 0);
	*out = it.cost;
}

/* All that have no key yet wait for a toolchain that a rule names and nobody made. */
static int want_another(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return sql_run(tx, err, "UPDATE demand SET wants = 'new' WHERE toolchain IS NULL", "") < 0 ? PS_ESTORE : 0;
}

static void costs_of(int64_t n, struct sql_cost out[COSTS])
{
	void *state;
	struct fx *f;

	setup(&state);
	f = state;
	how_many = n;
	assert_int_equal(do_write(f, fill_store), 0);
	pass_cost(f, NULL, "no sandbox", &out[NO_TOOLCHAIN]);
	pass_cost(f, NULL, NULL, &out[FIRST_PASS]);
	pass_cost(f, NULL, NULL, &out[SECOND_PASS]);
	pass_cost(f, NULL, NULL, &out[IDLE_PASS]);
	pass_cost(f, DIGEST, NULL, &out[WITH_TOOLCHAIN]);
	assert_int_equal(do_write(f, want_another), 0);
	pass_cost(f, DIGEST, "no sandbox", &out[ONE_MISSING]);
	view_cost(f, view_queue, &out[QUEUE]);
	view_cost(f, view_fabrics, &out[FABRICS]);
	view_cost(f, view_failing, &out[FAILING]);
	teardown(&state);
}

static size_t rss_kb(void)
{
	char line[128];
	size_t kb = 0;
	FILE *in = fopen("/proc/self/status", "re");

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "VmHWM: %zu", &kb) == 1)
			break;
	if (in)
		fclose(in);
	return kb;
}

static void ten_thousand_cost_what_a_hundred_cost(void **state)
{
	struct sql_cost few[COSTS], many[COSTS];

	(void)state;
	blob = a_survey(NULL, false, false);
	costs_of(300, few);
	costs_of(10000, many);
	for (int i = 0; i < COSTS; i++) {
		print_message("%-24s %4lld statements, %5lld rows, %3lld changes, %7lld steps; of 300: "
			      "%lld, %lld, %lld, %lld\n", names[i],
			      (long long)many[i].statements, (long long)many[i].rows,
			      (long long)many[i].changes, (long long)many[i].steps,
			      (long long)few[i].statements, (long long)few[i].rows,
			      (long long)few[i].changes, (long long)few[i].steps);
		assert_int_equal(many[i].statements, few[i].statements);
		assert_int_equal(many[i].changes, few[i].changes);
	}
	for (int i = NO_TOOLCHAIN; i <= ONE_MISSING; i++)	/* nor looks at more than it returns */
		assert_true(many[i].rows <= few[i].rows + 10 &&
			    many[i].steps < 2 * few[i].steps + 1000);
	assert_int_equal(many[IDLE_PASS].changes, 0);
	assert_true(many[ONE_MISSING].changes < 10);	/* they are not even looked at */
	print_message("peak of this program: %zu kB\n", rss_kb());
	free(blob);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_cost_what_a_hundred_cost),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
