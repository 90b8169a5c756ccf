/*
 * store_fill – a store as it looks after a few pushes, for tests that read it.
 */
#ifndef PS_STORE_FILL_H
#define PS_STORE_FILL_H

#include "agent/store/sql.h"

#define OID1 "1111111111111111111111111111111111111111"
#define OID2 "2222222222222222222222222222222222222222"
#define SHA "aaaaaaaaaaaa" "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/*
 * e1 main: built (b1), deployed (d1) and run (x1 passed, x2 failed). e2 feature: maps nowhere.
 * e3 main: b2 failed. e4 main: waits for a builder (b3). e5 tag: d2 waits for an approval.
 * e6: held. Tests of b1: t1 passed and is flaky (e1); t2, of e3 to qa, failed.
 */
static const char *const store_fill[] = {
	"INSERT INTO repository (id, uid, path, name, adopted_ms) VALUES (1, 'u1', '/srv/shop.git', 'shop', 1000)",
	"INSERT INTO push (id, push, repository, pusher, uid, judged, boot, stamp, pid, pid_start, ended, at_ms)"
	" VALUES (1, 'p-1', 1, 'ana', 1000, 'gate', 'b', 1, 10, 1, 1, 1000)",
	"INSERT INTO event (id, repository, ref, seq, old, new, kind, push, k, pusher, state, reason, superseded_by, boot,"
	" stamp, at_ms, surveyed) VALUES (1, 1, 'refs/heads/main', 1, '" OID1 "', '" OID2 "', 'sure', 1, 0, 'ana', 'done',"
	" NULL, NULL, 'b', 1, 1000, 1)",
	"INSERT INTO event (id, repository, ref, seq, old, new, kind, push, k, pusher, state, reason, superseded_by, boot,"
	" stamp, at_ms, surveyed) VALUES (2, 1, 'refs/heads/feature', 1, '" OID1 "', '" OID2 "', 'sure', 1, 0, 'ana',"
	" 'done', 'maps nowhere: no rule of penstock.yml names refs/heads/feature for project .', NULL, 'b', 2, 2000, 1)",
	"INSERT INTO event (id, repository, ref, seq, old, new, kind, push, k, pusher, state, reason, superseded_by, boot,"
	" stamp, at_ms, surveyed) VALUES (3, 1, 'refs/heads/broken', 2, '" OID2 "', '" OID1 "', 'inferred', 1, 0, 'ana',"
	" 'done', NULL, NULL, 'b', 3, 3000, 1)",
	"INSERT INTO event (id, repository, ref, seq, old, new, kind, push, k, pusher, state, reason, superseded_by, boot,"
	" stamp, at_ms, surveyed) VALUES (4, 1, 'refs/heads/main', 2, '" OID2 "', '" OID1 "', 'sure', 1, 0, 'bo', 'open',"
	" NULL, NULL, 'b', 4, 4000, 1)",
	"INSERT INTO event (id, repository, ref, seq, old, new, kind, push, k, pusher, state, reason, superseded_by, boot,"
	" stamp, at_ms, surveyed) VALUES (5, 1, 'refs/tags/v1.0', 1, '" OID1 "', '" OID2 "', 'sure', 1, 0, 'kim', 'open',"
	" NULL, NULL, 'b', 5, 5000, 1)",
	"INSERT INTO event (id, repository, ref, seq, old, new, kind, push, k, pusher, state, reason, superseded_by, boot,"
	" stamp, at_ms, surveyed) VALUES (6, 1, 'refs/heads/x', 1, '" OID1 "', '" OID2 "', 'gap', NULL, -1, NULL, 'held',"
	" 'the pusher is unknown', NULL, 'b', 6, 6000, 0)",
	"INSERT INTO build (id, key, repository, project, commit_oid, pipeline, spec, state, reason, detail, since_ms, slot,"
	" fence, lease_ms, digest, name, size, toolchain, prefix, last_lines, created_ms, started_ms, ended_ms)"
	" VALUES (1, 'k1', 1, '.', '" OID2 "', 'pipelines/a', '{}', 'passed', NULL, NULL, 1500, -1, 1, 0, '" SHA "',"
	" 'a-1.0-py3-none-any.whl', 12, 't', '/p', NULL, 1100, 1200, 1500)",
	"INSERT INTO build (id, key, repository, project, commit_oid, pipeline, spec, state, reason, detail, since_ms, slot,"
	" fence, lease_ms, digest, name, size, toolchain, prefix, last_lines, created_ms, started_ms, ended_ms)"
	" VALUES (2, 'k2', 1, '.', '" OID1 "', 'pipelines/b', '{}', 'failed', 'exit status 1', NULL, 3500, -1, 1, 0, NULL,"
	" NULL, NULL, 't', '/p', 'line one\nSyntaxError: bad', 3100, 3200, 3500)",
	"INSERT INTO build (id, key, repository, project, commit_oid, pipeline, spec, state, reason, detail, since_ms, slot,"
	" fence, lease_ms, digest, name, size, toolchain, prefix, last_lines, created_ms, started_ms, ended_ms)"
	" VALUES (3, 'k3', 1, '.', '" OID1 "', 'pipelines/a', '{}', 'queued', NULL, NULL, 4500, -1, 1,"
	" 0, NULL, NULL, NULL, 't', '/p', NULL, 4100, NULL, NULL)",
	"INSERT INTO demand (id, event, repository, project, ref, commit_oid, environment, fabric, state, reason, detail,"
	" since_ms, survey, release, created_ms, ended_ms) VALUES (5, 3, 1, '.', 'refs/heads/broken', '" OID1 "',"
	" 'qa', 'development', 'failed', 'test t2 of pipelines/a failed: 1 of 3: f.py::C::bad', NULL, 3600, '{}', NULL, 3000, 3600)",
	"INSERT INTO demand_build (demand, build, pipeline) VALUES (5, 1, 'pipelines/a')",
	"INSERT INTO test (id, key, build, repository, project, commit_oid, pipeline, fabric_name, state, since_ms, slot,"
	" fence, lease_ms, kept, flaky, passed, failed, errors, skipped, created_ms, started_ms, ended_ms) VALUES"
	" (1, 'tk1', 1, 1, '.', '" OID2 "', 'pipelines/a', 'default', 'passed', 1600, -1, 1, 0, 0, 1, 3, 0, 0, 1, 1510, 1520, 1600)",
	"INSERT INTO test (id, key, build, repository, project, commit_oid, pipeline, fabric_name, state, reason, since_ms, slot,"
	" fence, lease_ms, kept, flaky, passed, failed, errors, skipped, created_ms, started_ms, ended_ms) VALUES (2, 'tk2', 1,"
	" 1, '.', '" OID1 "', 'pipelines/a', 'qa', 'failed', '1 of 3: f.py::C::bad', 3590, -1, 1, 0, 0, 0, 2, 1, 0, 0, 3510,"
	" 3520, 3590)",
	"INSERT INTO test_case (test, n, path, outcome, flaky, took_ms, message, trace) VALUES"
	" (1, 1, 'f.py::C::shaky', 'passed', 1, 7, 'it was dark', NULL), (1, 2, 'f.py::C::good', 'passed', 0, 7, NULL, NULL),"
	" (2, 1, 'f.py::C::good', 'passed', 0, 7, NULL, NULL),"
	" (2, 2, 'f.py::C::bad', 'failed', 0, 7, 'assert 1 == 2' || char(10) || 'more', 'E  assert 1 == 2')",
	"INSERT INTO release (id, project, manifest, created_ms) VALUES ('" SHA "', '.', '{}', 1600)",
	"INSERT INTO label (id, release, repository, project, ref, commit_oid, version, event, pusher, created_ms)"
	" VALUES (1, '" SHA "', 1, '.', 'refs/heads/main', '" OID2 "', '1.0-aaaaaaaaaaaa', 1, 'ana', 1600)",
	"INSERT INTO label (id, release, repository, project, ref, commit_oid, version, event, pusher, created_ms)"
	" VALUES (2, '" SHA "', 1, '.', 'refs/tags/v1.0', '" OID2 "', 'v1.0', 5, 'kim', 5600)",
	"INSERT INTO demand (id, event, repository, project, ref, commit_oid, environment, fabric, state, reason, detail,"
	" since_ms, survey, release, created_ms, ended_ms) VALUES (1, 1, 1, '.', 'refs/heads/main', '" OID2 "',"
	" 'development', 'development', 'done', NULL, NULL, 1900, '{}', '" SHA "', 1000, 1900)",
	"INSERT INTO demand (id, event, repository, project, ref, commit_oid, environment, fabric, state, reason, detail,"
	" since_ms, survey, release, created_ms, ended_ms) VALUES (2, 3, 1, '.', 'refs/heads/broken', '" OID1 "',"
	" 'development', 'development', 'failed', 'build b2 of pipelines/b failed: exit status 1', NULL, 3600, '{}', NULL, 3000, 3600)",
	"INSERT INTO demand (id, event, repository, project, ref, commit_oid, environment, fabric, state, reason, detail,"
	" since_ms, survey, release, created_ms) VALUES (3, 4, 1, '.', 'refs/heads/main', '" OID1 "', 'development',"
	" 'development', 'waiting', NULL, NULL, 4500, '{}', NULL, 4000)",
	"INSERT INTO demand (id, event, repository, project, ref, commit_oid, environment, fabric, state, reason, detail,"
	" since_ms, survey, release, created_ms) VALUES (4, 5, 1, '.', 'refs/tags/v1.0', '" OID2 "', 'production',"
	" 'production', 'waiting', NULL, NULL, 5700, '{}', '" SHA "', 5000)",
	"INSERT INTO demand_build (demand, build, pipeline) VALUES (1, 1, 'pipelines/a')",
	"INSERT INTO demand_build (demand, build, pipeline) VALUES (2, 2, 'pipelines/b')",
	"INSERT INTO demand_build (demand, build, pipeline) VALUES (3, 3, 'pipelines/a')",
	"INSERT INTO demand_build (demand, build, pipeline) VALUES (4, 1, 'pipelines/a')",
	"INSERT INTO demand_test (demand, test, build) VALUES (1, 1, 1), (5, 2, 1)",
	"INSERT INTO deployment (id, demand, release, label, repository, project, environment, fabric, state, reason, detail,"
	" since_ms, fence, lease_ms, plan_digest, tries, created_ms, started_ms, ended_ms) VALUES (1, 1, '" SHA "', 1, 1, '.',"
	" 'development', 'development', 'deployed', NULL, NULL, 1900, 1, 0, 'pd', 1, 1600, 1700, 1900)",
	"INSERT INTO deployment (id, demand, release, label, repository, project, environment, fabric, state, reason, detail,"
	" since_ms, fence, lease_ms, plan_digest, tries, created_ms) VALUES (2, 4, '" SHA "', 2, 1, '.', 'production',"
	" 'production', 'waiting', NULL, NULL, 5700, 0, 0, NULL, 0, 5700)",
	"INSERT INTO step (deployment, n, what, state, detail) VALUES (1, 1, 'artifact a.whl', 'done', NULL)",
	"INSERT INTO deployed_job (fabric, repository, project, job, name, release, digest, deployment, fence, remote_id,"
	" state) VALUES ('development', 1, '.', 'jobs/j', 'j', '" SHA "', 'dd', 1, 1, NULL, 'live')",
	"INSERT INTO run (id, fabric, repository, project, job, config, release, who, state, reason, since_ms, slot, fence,"
	" spec, created_ms, started_ms, ended_ms) VALUES (1, 'development', 1, '.', 'jobs/j', 'dev', '" SHA "', 'ana',"
	" 'passed', NULL, 2900, -1, 1, '[]', 2100, 2200, 2900)",
	"INSERT INTO run (id, fabric, repository, project, job, config, release, who, state, reason, since_ms, slot, fence,"
	" spec, created_ms, started_ms, ended_ms) VALUES (2, 'development', 1, '.', 'jobs/j', 'prod', '" SHA "', 'ana',"
	" 'failed', 'task one failed', 3900, -1, 1, '[]', 3100, 3200, 3900)",
	"INSERT INTO run (id, fabric, repository, project, job, config, release, who, state, reason, detail, since_ms, slot,"
	" fence, spec, created_ms) VALUES (3, 'development', 1, '.', 'jobs/k', NULL, '" SHA "', 'ana', 'queued', NULL,"
	" NULL, 4100, -1, 0, '[]', 4100)",
	"INSERT INTO task (run, n, task, state, reason, last, started_ms, ended_ms) VALUES (2, 0, 'one', 'failed',"
	" 'exit status 1', 'boom', 3200, 3900)",
	"INSERT INTO task (run, n, task, state) VALUES (2, 1, 'two', 'upstream failed')",
	"UPDATE demand SET toolchain = 't', look = 0",
	"INSERT INTO wait (place, reason, detail, blocked_by, lift, next_try_ms, since_ms) VALUES"
	" ('build', 'builder', '1 of 1 slots busy', 'b9', NULL, 0, 4500),"
	" ('run development', 'builder', '1 of 1 slots busy', 'x9', NULL, 0, 4100),"
	" ('deployment production', 'approval', 'prod_support 0/1', 'team prod_support', NULL, 0, 5700)",
};

/* For store_write(). */
static int store_fill_run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = 0;

	(void)arg;
	for (size_t i = 0; i < PS_NELEM(store_fill) && rc >= 0; i++)
		rc = sql_run(tx, err, store_fill[i], "");
	return rc < 0 ? rc : 0;
}

#endif
