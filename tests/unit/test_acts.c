/* Units of acts: who may, what each changes, what it refuses and with which words. The store is real and
 * filled as after a few pushes (store_fill.h); no loop, no role. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/flow/acts_parts.h"
#include "agent/flow/acts_rights.h"
#include "agent/store/sql.h"
#include "common/base/fsutil.h"
#include "tests/support/store_fill.h"

static const char yaml[] =
	"teams:\n  developers: { members: [ana, bo], includes: [prod_support] }\n"
	"  prod_support: { members: [kim] }\n"
	"fabrics:\n  development: { id: 1, owner: developers, provider: local }\n"
	"  production: { id: 2, owner: prod_support, provider: local }\n"
	"environments:\n  - { name: development, refs: [refs/heads/main], fabric: development, deploy: auto }\n"
	"  - { name: production, refs: [refs/tags/*], fabric: production, deploy: approve }\n"
	"  - { name: byhand, refs: [refs/heads/byhand], fabric: production, deploy: manual }\n"
	"repositories:\n  roots: [{ path: repos, identity: uid, hook_users: ['0'] }]\n";

static struct fx {
	char dir[64];
	struct store *st;
	struct config *cfg;
	int wake[2];
} fx;

struct row {
	const char *name;
	const char *first[6];		/* SQL before it */
	struct acts_ask ask;
	int rc;
	const char *says;		/* part of the refusal, or of the items as JSON; NULL */
	const char *then[5][2];		/* SQL and the text it must give */
	const char *next;		/* with the refusal: the command to type; NULL: no matter */
	size_t stops;			/* runs that their role is told to end */
};

#define WHO(n) .who = { n, n, false }
#define ADMIN .who = { "root", "root", true }
#define E4 "SELECT state FROM event WHERE id = 4"
#define DEMAND(n) "SELECT state || ':' || COALESCE(reason, '') FROM demand WHERE id = " #n
#define BUILD(n) "SELECT state || ':' || COALESCE(reason, '') FROM build WHERE id = " #n
#define RUNS_B3 "UPDATE build SET state = 'running', fence = 5, slot = 0 WHERE id = 3"
/* e5's demand needs b3 too */
#define SHARED "INSERT INTO demand_build (demand, build, pipeline) VALUES (4, 3, 'pipelines/a')"
#define TEST(state, demand)                                                                     \
	"INSERT INTO test (id, key, build, repository, project, commit_oid, pipeline, fabric_name, state, since_ms,"  \
	" slot, fence, lease_ms, kept, flaky, passed, failed, errors, skipped, created_ms) VALUES (91, 'tk', 1, 1, '.'," \
	" '" OID2 "', 'pipelines/a', 'dev', '" state "', 1, -1, 4, 0, 1, 0, 1, 0, 0, 0, 1)",         \
	"INSERT INTO demand_test (demand, test, build) VALUES (" #demand ", 91, 1)"
/* d2 of e5 (pushed by ana, as the fill has it) stands at that gate of production */
#define AT_GATE(gate) "UPDATE deployment SET gate = '" gate "', plan_digest = 'pd' WHERE id = 2"
#define GIVEN "SELECT COUNT(*) || COALESCE(MAX(login || decision || plan_digest || emergency || message), '') FROM approval"
#define LEE "UPDATE push SET pusher = 'kim' WHERE id = 1"
#define LATER "UPDATE event SET seq = 9, ref = 'refs/heads/broken' WHERE id = 6"

static const struct row rows[] = {
	{ "cancel: its pusher", .ask = { ACTS_CANCEL, WHO("ana"), .thing = "e4", .why = "wrong" },
	  .says = "\"id\": \"b3\", \"state\": \"cancelled\"",
	  .then = { { DEMAND(3), "cancelled:cancelled by ana: wrong" },
		    { BUILD(3), "cancelled:cancelled by ana: wrong" }, { E4, "open" },
		    { "SELECT settling FROM event WHERE id = 4", "1" } } },
	{ "cancel: the fabric's owners", .ask = { ACTS_CANCEL, WHO("kim"), .thing = "e4" },
	  .then = { { DEMAND(3), "cancelled:cancelled by kim" } } },
	{ "cancel: neither", .ask = { ACTS_CANCEL, WHO("bo"), .thing = "e5" }, .rc = PS_EPERM,
	  .says = "'bo' may not cancel e5: that is for its pusher ana, team prod_support (kim), root or",
	  .then = { { DEMAND(4), "waiting:" } } },
	{ "cancel: a stranger", .ask = { ACTS_CANCEL, WHO("eve"), .thing = "b3" }, .rc = PS_EPERM,
	  .says = "team developers (ana, bo, team prod_support)", .then = { { BUILD(3), "queued:" } } },
	{ "cancel: an admin", .ask = { ACTS_CANCEL, ADMIN, .thing = "e5" },
	  .then = { { DEMAND(4), "cancelled:cancelled by root" },
		    { "SELECT state FROM deployment WHERE id = 2", "cancelled" } } },
	{ "cancel: what runs is only told", .first = { RUNS_B3 }, .ask = { ACTS_CANCEL, WHO("ana"), .thing = "b3" },
	  .says = "\"state\": \"running\"",
	  .then = { { "SELECT state || told || cancel FROM build WHERE id = 3", "running0cancelled by ana" },
		    { DEMAND(3), "cancelled:cancelled by ana" } } },
	{ "cancel: the first word stays",
	  .first = { RUNS_B3, "UPDATE build SET cancel = 'cancelled by kim' WHERE id = 3" },
	  .ask = { ACTS_CANCEL, WHO("ana"), .thing = "b3" },
	  .then = { { "SELECT cancel FROM build WHERE id = 3", "cancelled by kim" } } },
	{ "cancel: others need it", .first = { SHARED }, .ask = { ACTS_CANCEL, ADMIN, .thing = "b3" },
	  .rc = PS_EBUSY, .says = "2 demands need b3: e4 (refs/heads/main", .then = { { BUILD(3), "queued:" } } },
	{ "cancel: others need it, all the same", .first = { SHARED },
	  .ask = { ACTS_CANCEL, ADMIN, .thing = "b3", .all_demands = true },
	  .then = { { BUILD(3), "cancelled:cancelled by root" }, { DEMAND(3), "cancelled:cancelled by root" },
		    { DEMAND(4), "cancelled:cancelled by root" } } },
	{ "cancel: not for others' demands", .first = { SHARED },
	  .ask = { ACTS_CANCEL, WHO("bo"), .thing = "b3", .all_demands = true }, .rc = PS_EPERM,
	  .then = { { BUILD(3), "queued:" } } },
	{ "cancel: an event keeps what others need", .first = { SHARED }, .ask = { ACTS_CANCEL, ADMIN, .thing = "e4" },
	  .then = { { BUILD(3), "queued:" }, { DEMAND(3), "cancelled:cancelled by root" },
		    { DEMAND(4), "waiting:" } } },
	{ "cancel: a held event", .ask = { ACTS_CANCEL, ADMIN, .thing = "e6", .why = "odd" },
	  .then = { { "SELECT state || reason FROM event WHERE id = 6", "donecancelled by root: odd" } } },
	{ "cancel: a held event, whose nobody is", .ask = { ACTS_CANCEL, WHO("kim"), .thing = "e6" }, .rc = PS_EPERM,
	  .says = "that is for root or the agent's own user" },
	{ "cancel: over", .ask = { ACTS_CANCEL, ADMIN, .thing = "e1" }, .rc = PS_EBUSY, .says = "e1 is done" },
	{ "cancel: passed", .ask = { ACTS_CANCEL, ADMIN, .thing = "b1" }, .rc = PS_EBUSY, .says = "b1 is over" },
	{ "cancel: cancelled", .first = { "UPDATE build SET state = 'cancelled', reason = 'cancelled by bo' WHERE id = 3" },
	  .ask = { ACTS_CANCEL, ADMIN, .thing = "b3" }, .says = "cancelled by bo" },
	{ "cancel: a deployment under way", .first = { "UPDATE deployment SET state = 'running' WHERE id = 2" },
	  .ask = { ACTS_CANCEL, ADMIN, .thing = "e5" }, .rc = PS_EBUSY, .says = "d2 is changing its fabric",
	  .then = { { DEMAND(4), "waiting:" } } },
	{ "cancel: a queued run, by who asked", .ask = { ACTS_CANCEL, WHO("ana"), .thing = "x3" },
	  .then = { { "SELECT state || reason FROM run WHERE id = 3", "cancelledcancelled by ana" } } },
	{ "cancel: a running run", .first = { "UPDATE run SET state = 'running', fence = 7 WHERE id = 3" },
	  .ask = { ACTS_CANCEL, WHO("bo"), .thing = "x3" }, .stops = 1,
	  .then = { { "SELECT state || cancel FROM run WHERE id = 3", "runningcancelled by bo" } } },
	{ "cancel: a run, by nobody of its team", .ask = { ACTS_CANCEL, WHO("eve"), .thing = "x3" }, .rc = PS_EPERM },
	{ "cancel: tests end with their event", .first = { TEST("running", 3) }, .ask = { ACTS_CANCEL, WHO("ana"), .thing = "e4" },
	  .says = "\"t91\"", .stops = 1,
	  .then = { { "SELECT state || cancel FROM test WHERE id = 91", "runningcancelled by ana" }, { DEMAND(3), "cancelled:cancelled by ana" } } },
	{ "cancel: not the tests that others need",
	  .first = { TEST("running", 3), "INSERT INTO demand_test (demand, test, build) VALUES (4, 91, 1)" },
	  .ask = { ACTS_CANCEL, ADMIN, .thing = "e4" }, .then = { { "SELECT COALESCE(cancel, '-') FROM test WHERE id = 91", "-" } } },
	{ "cancel: queued tests by their id", .first = { TEST("queued", 3) }, .ask = { ACTS_CANCEL, WHO("kim"), .thing = "t91" },
	  .then = { { "SELECT state || reason || kept FROM test WHERE id = 91", "cancelledcancelled by kim0" },
		    { DEMAND(3), "cancelled:cancelled by kim" } } },
	{ "cancel: tests, by a stranger", .first = { TEST("queued", 3) }, .ask = { ACTS_CANCEL, WHO("eve"), .thing = "t91" },
	  .rc = PS_EPERM, .says = "may not cancel t91" },
	{ "retry: failed tests are asked for anew", .first = { TEST("failed", 2) }, .ask = { ACTS_RETRY, WHO("ana"), .thing = "e3" },
	  .then = { { "SELECT COUNT(*) FROM demand_test WHERE test = 91", "0" } } },
	{ "retry: passed tests stay", .first = { TEST("passed", 2) }, .ask = { ACTS_RETRY, WHO("ana"), .thing = "e3" },
	  .then = { { "SELECT COUNT(*) FROM demand_test WHERE test = 91", "1" }, { "SELECT kept FROM test WHERE id = 91", "1" } } },
	{ "retry afresh: passed tests are forgotten",
	  .first = { TEST("passed", 2), "INSERT INTO demand_build (demand, build, pipeline) VALUES (2, 1, 'pipelines/a')" },
	  .ask = { ACTS_RETRY, WHO("ana"), .thing = "e3", .fresh = true },
	  .then = { { "SELECT COUNT(*) FROM demand_test WHERE test = 91", "0" }, { "SELECT kept FROM test WHERE id = 91", "0" } } },
	{ "retry afresh: nothing failed", .first = { "DELETE FROM demand_test", "UPDATE test SET kept = 0",
		     "UPDATE demand SET state = 'done' WHERE state = 'failed'", TEST("passed", 1) }, .ask = { ACTS_RETRY, WHO("ana"), .thing = "b1", .fresh = true },
	  .says = "1 remembered passes", .then = { { "SELECT kept FROM test WHERE id = 91", "0" } } },
	{ "cancel: no such thing", .ask = { ACTS_CANCEL, ADMIN, .thing = "b77" }, .rc = PS_ENOENT,
	  .says = "there is no build b77" },
	{ "cancel: a fabric", .ask = { ACTS_CANCEL, ADMIN, .thing = "production" }, .rc = PS_EINVAL,
	  .says = "say e88, b31, t31, d12 or x7" },
	{ "cancel queued: a branch", .ask = { ACTS_CANCEL, ADMIN, .queued = true, .ref = "ma*" },
	  .then = { { DEMAND(3), "cancelled:cancelled by root" }, { DEMAND(4), "waiting:" } } },
	{ "cancel queued: * stays in its part", .ask = { ACTS_CANCEL, ADMIN, .queued = true, .ref = "refs/*" },
	  .then = { { DEMAND(3), "waiting:" }, { DEMAND(4), "waiting:" } } },
	{ "cancel queued: another repository", .ask = { ACTS_CANCEL, ADMIN, .queued = true, .repository = "barn" },
	  .then = { { DEMAND(3), "waiting:" } } },
	{ "cancel queued: not what has started", .first = { RUNS_B3 }, .ask = { ACTS_CANCEL, ADMIN, .queued = true },
	  .then = { { DEMAND(3), "waiting:" }, { DEMAND(4), "cancelled:cancelled by root" } } },
	{ "cancel queued: refused ones are named", .ask = { ACTS_CANCEL, WHO("bo"), .queued = true },
	  .says = "'bo' may not cancel e5", .then = { { DEMAND(3), "cancelled:cancelled by bo" },
						      { DEMAND(4), "waiting:" } } },
	{ "retry: a failed event", .ask = { ACTS_RETRY, WHO("ana"), .thing = "e3" },
	  .then = { { "SELECT state || surveyed || COALESCE(reason, '-') FROM event WHERE id = 3", "open1-" },
		    { "SELECT state || look || COALESCE(release, '-') || toolchain FROM demand WHERE id = 2", "waiting1-t" },
		    { "SELECT state || key || retry_of || asked_by || toolchain FROM build WHERE id = 4", "queuedk22anat" },
		    { "SELECT build FROM demand_build WHERE demand = 2", "4" } } },
	{ "retry: a failed build", .ask = { ACTS_RETRY, WHO("bo"), .thing = "b2" },
	  .then = { { DEMAND(2), "waiting:" }, { "SELECT COUNT(*) FROM build WHERE key = 'k2'", "2" } } },
	{ "retry: a live build of the key is taken",
	  .first = { "UPDATE build SET key = 'k2', state = 'running' WHERE id = 3" },
	  .ask = { ACTS_RETRY, WHO("ana"), .thing = "b2" },
	  .then = { { "SELECT build FROM demand_build WHERE demand = 2", "3" }, { "SELECT COUNT(*) FROM build", "3" } } },
	{ "retry: not its to retry", .ask = { ACTS_RETRY, WHO("eve"), .thing = "b2" }, .rc = PS_EPERM,
	  .says = "may not retry b2" },
	{ "retry: superseded", .first = { LATER }, .ask = { ACTS_RETRY, WHO("ana"), .thing = "e3" }, .rc = PS_EBUSY,
	  .says = "e3 is not the newest movement of refs/heads/broken any more: superseded by e6",
	  .then = { { "SELECT state FROM event WHERE id = 3", "done" } } },
	{ "retry: a tag is never superseded",
	  .first = { "UPDATE event SET ref = 'refs/tags/t' WHERE id = 3", "UPDATE demand SET ref = 'refs/tags/t' WHERE id = 2",
		     "UPDATE event SET seq = 9, ref = 'refs/tags/t' WHERE id = 6" },
	  .ask = { ACTS_RETRY, WHO("ana"), .thing = "e3" }, .then = { { DEMAND(2), "waiting:" } } },
	{ "retry: its build is still being ended",
	  .first = { "UPDATE build SET state = 'running', ended_ms = NULL, cancel = 'cancelled by kim' WHERE id = 2" },
	  .ask = { ACTS_RETRY, WHO("ana"), .thing = "e3" }, .rc = PS_EBUSY, .says = "b2 is still being ended" },
	{ "retry: nothing failed", .ask = { ACTS_RETRY, WHO("ana"), .thing = "e4" }, .rc = PS_EBUSY,
	  .says = "there is nothing to retry" },
	{ "retry: held", .ask = { ACTS_RETRY, ADMIN, .thing = "e6" }, .rc = PS_EBUSY, .says = "e6 is held" },
	{ "retry: nothing came of it", .ask = { ACTS_RETRY, WHO("ana"), .thing = "e2" },
	  .then = { { "SELECT state || surveyed || lease_ms FROM event WHERE id = 2", "open00" } } },
	{ "retry: a run", .ask = { ACTS_RETRY, WHO("bo"), .thing = "x2" },
	  .then = { { "SELECT state || who || config || retry_of FROM run WHERE id = 4", "queuedboprod2" },
		    { "SELECT group_concat(task || state) FROM task WHERE run = 4", "onequeued,twoqueued" } } },
	{ "retry: a run, by an admin of no team", .ask = { ACTS_RETRY, ADMIN, .thing = "x2" }, .rc = PS_EPERM },
	{ "repair: from what failed", .first = { "UPDATE task SET state = 'passed' WHERE run = 2 AND task = 'one'" },
	  .ask = { ACTS_REPAIR, WHO("bo"), .thing = "x2" },
	  .then = { { "SELECT state || who || config || retry_of || repair FROM run WHERE id = 4", "queuedboprod21" },
		    { "SELECT group_concat(task || state) FROM task WHERE run = 4", "onepassed,twoqueued" } } },
	{ "repair: twice", .first = { "UPDATE run SET retry_of = 2, repair = 1 WHERE id = 3" },
	  .ask = { ACTS_REPAIR, WHO("bo"), .thing = "x2" }, .rc = PS_EBUSY, .next = "penstock repair x3" },
	{ "repair: what is queued", .ask = { ACTS_REPAIR, WHO("ana"), .thing = "x3" }, .rc = PS_EBUSY,
	  .next = "penstock runs x3" },
	{ "repair: what passed", .ask = { ACTS_REPAIR, WHO("bo"), .thing = "x1" }, .rc = PS_EBUSY },
	{ "repair: by an admin of no team", .ask = { ACTS_REPAIR, ADMIN, .thing = "x2" }, .rc = PS_EPERM },
	{ "repair: at a provider that cannot", .first = { "UPDATE run SET provider = 'none', remote_id = '5' WHERE id = 2" },
	  .ask = { ACTS_REPAIR, WHO("bo"), .thing = "x2" }, .rc = PS_ENOTSUP, .next = "penstock retry x2" },
	{ "repair: that never began", .first = { "UPDATE run SET provider = 'none' WHERE id = 2" },
	  .ask = { ACTS_REPAIR, WHO("bo"), .thing = "x2" }, .rc = PS_EBUSY, .next = "penstock retry x2" },
	{ "retry: a run at a provider begins anew", .first = { "UPDATE run SET provider = 'none', remote_id = '5', repair = 2 WHERE id = 2" },
	  .ask = { ACTS_RETRY, WHO("bo"), .thing = "x2" },
	  .then = { { "SELECT state || provider || ifnull(remote_id, '-') || repair FROM run WHERE id = 4", "queuednone-0" } } },
	{ "retry: a run that passed", .ask = { ACTS_RETRY, WHO("bo"), .thing = "x1" }, .rc = PS_EBUSY },
	{ "bump: a build", .ask = { ACTS_BUMP, WHO("ana"), .thing = "b3" },
	  .then = { { "SELECT bumped_by || (bumped_ms > 0) FROM build WHERE id = 3", "ana1" } } },
	{ "bump: an event and its deployment", .ask = { ACTS_BUMP, WHO("kim"), .thing = "e5" },
	  .then = { { "SELECT bumped_by || (bumped_ms > 0) FROM demand WHERE id = 4", "kim1" },
		    { "SELECT bumped_ms > 0 FROM deployment WHERE id = 2", "1" } } },
	{ "bump: what does not wait", .ask = { ACTS_BUMP, ADMIN, .thing = "b1" }, .rc = PS_EBUSY,
	  .says = "it does not wait in line" },
	{ "bump: not his", .ask = { ACTS_BUMP, WHO("bo"), .thing = "e5" }, .rc = PS_EPERM },
	{ "check: a passed build", .ask = { ACTS_CHECK, WHO("ana"), .thing = "b1" },
	  .then = { { "SELECT state || key || check_of || asked_by FROM build WHERE id = 4", "queuedk11ana" },
		    { "SELECT priority FROM build WHERE id = 4", "-1000" } } },
	{ "check: one at a time",
	  .first = { "UPDATE build SET check_of = 1, key = 'k1' WHERE id = 3" }, .ask = { ACTS_CHECK, WHO("ana"), .thing = "b1" },
	  .says = "\"b3\"", .then = { { "SELECT COUNT(*) FROM build", "3" } } },
	{ "check: nothing is sealed", .ask = { ACTS_CHECK, WHO("ana"), .thing = "b2" }, .rc = PS_EBUSY,
	  .says = "it has no sealed artifact" },
	{ "check: no key", .ask = { ACTS_CHECK, WHO("ana"), .thing = "abcdef0123" }, .rc = PS_ENOENT,
	  .says = "no build of key 'abcdef0123'" },
	{ "check: a comparison is not retried",
	  .first = { "UPDATE build SET check_of = 1, key = 'k1', state = 'failed' WHERE id = 3" },
	  .ask = { ACTS_RETRY, ADMIN, .thing = "b3" }, .rc = PS_EBUSY, .says = "only compares" },
	{ "approve: by an owner", .first = { AT_GATE("approval") },
	  .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2", .why = "fine", .plan = "pd" },
	  .says = "to production: prod_support 1/1",
	  .then = { { GIVEN, "1kimapprovedpd0fine" }, { "SELECT look FROM deployment WHERE id = 2", "1" } } },
	{ "approve: not of the team", .first = { AT_GATE("approval") }, .ask = { ACTS_APPROVE, WHO("ana"), .thing = "d2" },
	  .rc = PS_EPERM, .says = "'ana' may not approve d2: fabric production is of team prod_support, and ana is not of "
	  "the team; who could: kim", .then = { { GIVEN, "0" } } },
	{ "approve: an admin is not of the team", .first = { AT_GATE("approval") }, .ask = { ACTS_APPROVE, ADMIN, .thing = "d2" },
	  .rc = PS_EPERM, .says = "who could: kim" },
	{ "approve: who pushed it", .first = { AT_GATE("approval"), LEE }, .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2" },
	  .rc = PS_EPERM, .says = "kim may have pushed it; who could: nobody of them", .then = { { GIVEN, "0" } } },
	{ "approve: who may have pushed it", .first = { AT_GATE("approval"),
	  "INSERT INTO push (id, push, repository, pusher, acting_as, uid, judged, boot, stamp, pid, pid_start, ended, at_ms)"
	  " VALUES (2, 'p-2', 1, 'root', 'kim', 0, 'gate', 'b', 1, 10, 1, 1, 1000)",
	  "INSERT INTO event_maker (event, push) VALUES (5, 1), (5, 2)" },
	  .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2" }, .rc = PS_EPERM, .says = "may have pushed it" },
	{ "approve: who let it go when nobody knew who pushed it", .first = { AT_GATE("approval"),
	  "UPDATE event SET push = NULL, let_by = 'root (as kim)' WHERE id = 5" },
	  .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2" }, .rc = PS_EPERM, .says = "may have pushed it" },
	{ "approve: another plan than he saw", .first = { AT_GATE("approval") },
	  .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2", .plan = "old" }, .rc = PS_EBUSY,
	  .says = "not the one that you saw any more: pd, not old", .then = { { GIVEN, "0" } } },
	{ "approve: it does not wait for that", .first = { AT_GATE("after") }, .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2" },
	  .rc = PS_EBUSY, .says = "d2 does not wait for an approval: after" },
	{ "approve: over", .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d1" }, .rc = PS_EBUSY, .says = "d1 is deployed" },
	{ "approve: no deployment", .ask = { ACTS_APPROVE, WHO("kim"), .thing = "e5" }, .rc = PS_EINVAL, .says = "say one like d12" },
	{ "approve: unknown", .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d99" }, .rc = PS_ENOENT, .says = "there is no deployment d99" },
	{ "emergency: nobody is named", .first = { AT_GATE("approval") },
	  .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2", .why = "fire", .emergency = true }, .rc = PS_EPERM,
	  .says = "fabric production has no team for emergencies" },
	{ "emergency: without a reason", .first = { AT_GATE("approval") },
	  .ask = { ACTS_APPROVE, WHO("kim"), .thing = "d2", .emergency = true }, .rc = PS_EINVAL, .says = "needs a reason" },
	{ "reject: ends what waits of the release there", .first = { AT_GATE("approval") },
	  .ask = { ACTS_REJECT, WHO("kim"), .thing = "d2", .why = "bad" }, .says = "\"state\": \"rejected\"",
	  .then = { { "SELECT state || reason FROM deployment WHERE id = 2", "rejectedrejected by kim: bad" },
		    { DEMAND(4), "cancelled:rejected by kim: bad" }, { GIVEN, "1kimrejectedpd0bad" } } },
	{ "reject: without a reason", .ask = { ACTS_REJECT, WHO("kim"), .thing = "d2" }, .rc = PS_EINVAL, .says = "needs a reason" },
	{ "reject: not his", .ask = { ACTS_REJECT, WHO("ana"), .thing = "d2", .why = "x" }, .rc = PS_EPERM,
	  .says = "'ana' may not reject d2: fabric production is for team prod_support (kim)" },
	{ "deploy: one", .first = { AT_GATE("manual") }, .ask = { ACTS_DEPLOY, WHO("kim"), .thing = "d2", .jobs = "[\"jobs/a\"]" },
	  .then = { { "SELECT let_by || look FROM deployment WHERE id = 2", "kim1" }, { "SELECT jobs FROM demand WHERE id = 4", "[\"jobs/a\"]" } } },
	{ "deploy: an environment", .first = { AT_GATE("manual"), "UPDATE deployment SET environment = 'byhand' WHERE id = 2" },
	  .ask = { ACTS_DEPLOY, WHO("kim"), .thing = "byhand" }, .says = "\"d2\"" },
	{ "deploy: nothing waits there", .first = { AT_GATE("approval") }, .ask = { ACTS_DEPLOY, WHO("kim"), .thing = "byhand" },
	  .rc = PS_EBUSY, .says = "nothing waits in environment byhand" },
	{ "deploy: not by hand", .first = { AT_GATE("approval") }, .ask = { ACTS_DEPLOY, WHO("kim"), .thing = "d2" }, .rc = PS_EBUSY,
	  .says = "does not wait for being deployed by hand: approval" },
	{ "deploy: not his", .first = { AT_GATE("manual") }, .ask = { ACTS_DEPLOY, ADMIN, .thing = "d2" }, .rc = PS_EPERM },
	{ "redeploy: nothing was", .ask = { ACTS_REDEPLOY, WHO("kim"), .thing = "production" }, .rc = PS_EBUSY,
	  .says = "nothing was deployed to environment production" },
	{ "redeploy: not his to push", .ask = { ACTS_REDEPLOY, WHO("eve"), .thing = "d1" }, .rc = PS_EPERM,
	  .says = "may not redeploy to environment development" },
	{ "freeze", .ask = { ACTS_FREEZE, WHO("kim"), .thing = "production", .why = "year's end", .until_ms = INT64_MAX / 2 },
	  .says = "\"id\": \"production\", \"state\": \"frozen\"",
	  .then = { { "SELECT fabric || kind || who || why FROM closure", "productionfreezekimyear's end" } } },
	{ "freeze: until before", .ask = { ACTS_FREEZE, WHO("kim"), .thing = "production", .why = "x", .until_ms = 5 }, .rc = PS_EINVAL,
	  .says = "over already" },
	{ "freeze: without a reason", .ask = { ACTS_FREEZE, WHO("kim"), .thing = "production" }, .rc = PS_EINVAL, .says = "say why" },
	{ "lock: not his", .ask = { ACTS_LOCK, WHO("ana"), .thing = "production", .why = "x" }, .rc = PS_EPERM,
	  .says = "'ana' may not lock production: that is for team prod_support (kim), root or" },
	{ "unlock: it was not", .ask = { ACTS_UNLOCK, ADMIN, .thing = "production" }, .says = "was not locked" },
	{ "unlock: another kind stays", .first = { "INSERT INTO closure VALUES ('production', 'freeze', 'kim', 'x', 1, 0), ('production',"
	  " 'lock', 'kim', 'x', 1, 0)" }, .ask = { ACTS_UNLOCK, WHO("kim"), .thing = "production" },
	  .then = { { "SELECT COUNT(*) || MAX(kind) FROM closure", "1freeze" } } },
	{ "unfreeze: of no configuration, by an admin", .ask = { ACTS_UNFREEZE, ADMIN, .thing = "gone" }, .says = "was not frozen" },
	{ "unfreeze: of no configuration", .ask = { ACTS_UNFREEZE, WHO("kim"), .thing = "gone" }, .rc = PS_ENOENT },
	{ "promote: not his to push", .ask = { ACTS_PROMOTE, WHO("eve"), .thing = "v1.0", .environment = "development" },
	  .rc = PS_EPERM, .says = "may not promote to environment development: that is for developers" },
	{ "promote: nowhere", .ask = { ACTS_PROMOTE, WHO("ana"), .thing = "v1.0", .environment = "staging" },
	  .rc = PS_ENOENT, .says = "there is no environment 'staging'" },
	{ "promote: no such release", .ask = { ACTS_PROMOTE, WHO("ana"), .thing = "v9", .environment = "development" },
	  .rc = PS_ENOENT, .says = "no release is called 'v9'" },
	{ "promote: two projects have it",
	  .first = { "INSERT INTO release (id, project, manifest, created_ms) VALUES ('bb', 'sub', '{}', 1)",
		     "INSERT INTO label (id, release, repository, project, ref, commit_oid, version, event, created_ms)"
		     " VALUES (9, 'bb', 1, 'sub', 'refs/tags/v1.0', 'c', 'v1.0', 6, 1)" },
	  .ask = { ACTS_PROMOTE, WHO("ana"), .thing = "v1.0", .environment = "development" }, .rc = PS_EINVAL,
	  .says = "'v1.0' may be any of 2 releases: bb (v1.0" },
};

struct doing {
	const struct row *row;
	struct acting acting;
	struct ps_err err;
	int rc;
	bool done;
};

static void on_wake(void *arg)
{
	(void)arg;
	assert_int_equal(write(fx.wake[1], "x", 1), 1);
}

static void on_done(void *arg, int rc, const struct ps_err *err)
{
	struct doing *d = arg;

	d->rc = rc;
	if (err)
		d->err = *err;
	d->done = true;
}

static void write_now(store_run_fn *run, struct doing *d)
{
	d->done = false;
	store_write(fx.st, STORE_FULL, run, on_done, d);
	while (!d->done) {
		struct pollfd p = { .fd = fx.wake[0], .events = POLLIN };
		char c[64];

		assert_int_equal(poll(&p, 1, 60000), 1);
		assert_true(read(fx.wake[0], c, sizeof(c)) > 0);
		store_poll(fx.st);
	}
}

static int prepare(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct row *r = ((struct doing *)arg)->row;
	int rc = store_fill_run(tx, NULL, err);

	for (size_t i = 0; i < PS_NELEM(r->first) && r->first[i] && rc >= 0; i++)
		rc = sql_run(tx, err, r->first[i], "");
	return rc < 0 ? rc : 0;
}

static int do_it(struct store_tx *tx, void *arg, struct ps_err *err)
{
	static int (*const acts[])(struct store_tx *tx, struct acting *a, struct ps_err *err) = {
		[ACTS_CANCEL] = acts_cancel, [ACTS_RETRY] = acts_retry, [ACTS_BUMP] = acts_bump,
		[ACTS_CHECK] = acts_check_build, [ACTS_PROMOTE] = acts_promote,
		[ACTS_REDEPLOY] = acts_redeploy, [ACTS_APPROVE] = acts_approve, [ACTS_REJECT] = acts_reject,
		[ACTS_DEPLOY] = acts_deploy, [ACTS_FREEZE] = acts_close, [ACTS_UNFREEZE] = acts_close,
		[ACTS_LOCK] = acts_close, [ACTS_UNLOCK] = acts_close,
		[ACTS_REPAIR] = acts_repair,
	};
	struct doing *d = arg;

	return acts[d->row->ask.verb](tx, &d->acting, err);
}

static int look(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct row *r = ((struct doing *)arg)->row;
	int rc = 0;

	for (size_t i = 0; i < PS_NELEM(r->then) && r->then[i][0] && rc == 0; i++) {
		sqlite3_stmt *q = sql_query(tx, err, r->then[i][0], "");
		const char *got;

		rc = sql_next(tx, q, err);
		got = rc > 0 ? sql_text(q, 0) : NULL;
		if (rc > 0 && !ps_streq(got, r->then[i][1]))
			rc = ps_err_set(err, PS_EINVAL, "%s: '%s', wanted '%s'", r->then[i][0], got ? got : "NULL",
					r->then[i][1]);
		sql_done(q);
		if (rc == 0)
			rc = ps_err_set(err, PS_ENOENT, "%s: no row", r->then[i][0]);
		rc = rc > 0 ? 0 : rc;
	}
	return rc;
}

static int setup(void **state)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct ps_err err;
	char *path;

	(void)state;
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/ps-acts-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	path = fs_join(fx.dir, "store.db");
	assert_int_equal(pipe(fx.wake), 0);
	assert_int_equal(store_open(&fx.st, path, on_wake, NULL, &err), 0);
	free(path);
	assert_int_equal(config_parse(&fx.cfg, "penstock.yml", yaml, strlen(yaml), &diags, &err), 0);
	assert_non_null(fx.cfg);
	diag_clear(&diags);
	return 0;
}

static int teardown(void **state)
{
	struct ps_err err;

	(void)state;
	store_close(fx.st);
	close(fx.wake[0]);
	close(fx.wake[1]);
	config_free(fx.cfg);
	return fs_remove_tree(AT_FDCWD, fx.dir, &err);
}

static void check_row(void **state)
{
	struct doing d = { .row = *state };
	const struct row *r = d.row;
	char *items;

	setup(NULL);
	write_now(prepare, &d);
	if (d.rc < 0)
		fail_msg("prepare: %s", d.err.msg);
	d.acting.cfg = fx.cfg;
	d.acting.ask = r->ask;
	acting_init(&d.acting);
	d.err = (struct ps_err) { 0 };
	write_now(do_it, &d);
	if (d.rc != r->rc)
		fail_msg("rc %d, wanted %d: %s", d.rc, r->rc, d.err.msg);
	items = json_dumps(d.acting.items, JSON_PRESERVE_ORDER);
	if (r->says && !strstr(r->rc ? d.err.msg : items, r->says))
		fail_msg("'%s' is not in: %s", r->says, r->rc ? d.err.msg : items);
	if (r->next)
		assert_string_equal(d.acting.next ? d.acting.next : "", r->next);
	assert_int_equal(d.acting.nstops, r->stops);
	free(items);
	acting_clear(&d.acting);
	write_now(look, &d);
	if (d.rc < 0)
		fail_msg("%s", d.err.msg);
	teardown(NULL);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest t[PS_NELEM(rows)];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = check_row,
					     .initial_state = (void *)&rows[i] };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("acts", t, PS_NELEM(t), NULL, NULL);
}
