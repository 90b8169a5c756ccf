-- The store's tables, from version 1 to 2: what came after schema.sql. Same rules as there.

-- ---- events: who may have made a movement; what is held together ----

-- Every push that may have made an event that is not sure: its event.push is but the likeliest.
CREATE TABLE event_maker (
	event BIGINT NOT NULL REFERENCES event (id),
	push BIGINT NOT NULL REFERENCES push (id),
	PRIMARY KEY (event, push)
);

-- A movement that was reported and whose place among the events is not known yet: line of the report
-- (-1: not reported) and its stamp. The end of its push reads the ref and settles it.
ALTER TABLE intent ADD COLUMN told BIGINT NOT NULL DEFAULT -1;
ALTER TABLE intent ADD COLUMN told_stamp BIGINT NOT NULL DEFAULT 0;

-- When a ref's baseline was read; '': longer ago than anything.
ALTER TABLE ref ADD COLUMN born_boot TEXT NOT NULL DEFAULT '';
ALTER TABLE ref ADD COLUMN born BIGINT NOT NULL DEFAULT 0;
-- Its tail was read at that stamp or later, while pushes were under way; NULL: not noted.
ALTER TABLE ref ADD COLUMN read_boot TEXT;
ALTER TABLE ref ADD COLUMN read_stamp BIGINT NOT NULL DEFAULT 0;

-- Symbolic refs as they were seen last: a report names the alias alone.
CREATE TABLE alias (
	repository BIGINT NOT NULL REFERENCES repository (id),
	name TEXT NOT NULL,
	target TEXT NOT NULL,
	PRIMARY KEY (repository, name)
);

-- ---- repositories: adoption, looks, restore guard ----

-- since when its folder is not there; no event of it is taken into work. 0: it is there
ALTER TABLE repository ADD COLUMN gone_ms BIGINT NOT NULL DEFAULT 0;
-- since when another agent's lease lies in it, and whose; nothing of it is taken into work. 0: it is ours
ALTER TABLE repository ADD COLUMN taken_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE repository ADD COLUMN taken_by TEXT;
-- How far its reflog was read when its last event was number log_seq; -1: not known, from its end on.
ALTER TABLE ref ADD COLUMN log_size BIGINT NOT NULL DEFAULT -1;
ALTER TABLE ref ADD COLUMN log_seq BIGINT NOT NULL DEFAULT 0;
-- the first event of those that are held as one (its own number for that one); NULL: by itself
ALTER TABLE event ADD COLUMN held_with BIGINT;
ALTER TABLE event ADD COLUMN let_by TEXT;	-- who let it go, as shown; NULL: nobody
ALTER TABLE event ADD COLUMN let_why TEXT;
ALTER TABLE event ADD COLUMN let_ms BIGINT;
CREATE INDEX event_held_with ON event (held_with) WHERE held_with IS NOT NULL;

-- ---- recovery, pauses, retention ----

CREATE TABLE pause (
	scope TEXT NOT NULL,			-- environment, fabric, builder, all
	name TEXT NOT NULL,			-- of the environment or fabric, else ''
	kind TEXT NOT NULL,			-- pause, drain
	who TEXT NOT NULL,			-- as shown
	why TEXT NOT NULL,
	since_ms BIGINT NOT NULL,
	PRIMARY KEY (scope, name, kind)
);

-- its artifact was removed then: the key is free again; 0: it is there
ALTER TABLE build ADD COLUMN gone_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX build_digest ON build (digest) WHERE digest IS NOT NULL;

-- ---- queue: order, leases, fences ----

-- Where a thing stands in its line (agent/flow/sched.h); 0, or when a person put it first.
ALTER TABLE build ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE build ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE build ADD COLUMN bumped_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployment ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployment ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployment ADD COLUMN bumped_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN bumped_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN lease_ms BIGINT NOT NULL DEFAULT 0;
-- it shall end, and why: no demand is left, or somebody said so; NULL: nobody wants that
ALTER TABLE build ADD COLUMN cancel TEXT;
ALTER TABLE build ADD COLUMN told BIGINT NOT NULL DEFAULT 0;	-- 1: the build role was told so
-- of its environment when it was made; 1: something happened that may let it go on
ALTER TABLE demand ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE demand ADD COLUMN look BIGINT NOT NULL DEFAULT 1;
-- its survey is a claimed row too; 1: the last of its demands has ended
ALTER TABLE event ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN lease_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN settling BIGINT NOT NULL DEFAULT 0;

-- Each begins with what a pass asks for by equality and goes on in the order it asks for, so that it
-- reads the first rows and no others; the plain ones of version 1 would be taken instead.
DROP INDEX build_state;
DROP INDEX deployment_state;
DROP INDEX run_state;
DROP INDEX demand_state;
DROP INDEX event_state;
CREATE INDEX build_bumped ON build (state, bumped_ms DESC, id);
CREATE INDEX build_age ON build (state, created_ms, id);
CREATE INDEX build_turn ON build (state, priority DESC, turn, created_ms, id);
CREATE INDEX build_used ON build (state, repository, priority, turn);
CREATE INDEX deployment_bumped ON deployment (state, environment, bumped_ms DESC, id);
CREATE INDEX deployment_age ON deployment (state, environment, created_ms, id);
CREATE INDEX deployment_turn ON deployment (state, environment, priority DESC, turn, created_ms, id);
CREATE INDEX deployment_used ON deployment (state, repository, priority, fabric, turn);
CREATE INDEX deployment_place ON deployment (state, environment, fabric);
CREATE INDEX deployment_target ON deployment (repository, project, environment, state);
CREATE INDEX deployment_demand ON deployment (demand);
CREATE INDEX run_bumped ON run (state, fabric, bumped_ms DESC, id);
CREATE INDEX run_age ON run (state, fabric, created_ms, id);
CREATE INDEX run_turn ON run (state, fabric, priority DESC, turn, created_ms, id);
CREATE INDEX run_used ON run (state, repository, priority, turn);
CREATE INDEX demand_look ON demand (look, id);
CREATE INDEX demand_keyless ON demand (state, toolchain, id);
CREATE INDEX demand_place ON demand (repository, project, environment, ref, state);
CREATE INDEX event_survey ON event (state, surveyed, lease_ms, id);
CREATE INDEX event_settling ON event (settling, id);
CREATE INDEX event_new ON event (repository, new, state);

-- Turns of a line: the one it is at (repository 0), and who was served in it.
CREATE TABLE turn (
	line TEXT NOT NULL,			-- kind, priority, fabric
	repository BIGINT NOT NULL,
	turn BIGINT NOT NULL,
	PRIMARY KEY (line, repository)
);
CREATE INDEX turn_old ON turn (line, turn);

-- What keeps all that waits at one place; agent/store/line.h.
CREATE TABLE wait (
	place TEXT PRIMARY KEY,
	reason TEXT NOT NULL,			-- one of the wait reasons
	detail TEXT,
	blocked_by TEXT,
	lift TEXT,				-- command; NULL: the reason's own
	next_try_ms BIGINT NOT NULL,
	since_ms BIGINT NOT NULL
);

-- why something waits is its place's to say; the next pass does
UPDATE build SET reason = NULL, detail = NULL WHERE state = 'queued';
UPDATE run SET reason = NULL, detail = NULL WHERE state = 'queued';
UPDATE deployment SET reason = NULL, detail = NULL WHERE state = 'waiting';
UPDATE demand SET reason = NULL, detail = NULL WHERE state IN ('waiting', 'active');
UPDATE demand SET look = 0 WHERE state NOT IN ('waiting', 'active');
UPDATE event SET settling = 1 WHERE state = 'open' AND surveyed = 1 AND NOT EXISTS
	(SELECT 1 FROM demand WHERE demand.event = event.id AND demand.state IN ('waiting', 'active'));

-- ---- cancel, retry, bump, drain ----

ALTER TABLE build ADD COLUMN retry_of BIGINT NOT NULL DEFAULT 0;	-- the build of this key before, retried by people
ALTER TABLE build ADD COLUMN asked_by TEXT;		-- who retried, or asked for a check; NULL: a demand did
ALTER TABLE build ADD COLUMN bumped_by TEXT;
ALTER TABLE demand ADD COLUMN bumped_ms BIGINT NOT NULL DEFAULT 0;	-- builds and deployments of it come first
ALTER TABLE demand ADD COLUMN bumped_by TEXT;
ALTER TABLE run ADD COLUMN cancel TEXT;			-- it shall end: "cancelled by kim: why"; NULL: nobody wants that
ALTER TABLE run ADD COLUMN retry_of BIGINT NOT NULL DEFAULT 0;

-- ---- tests of projects ----

CREATE TABLE test (
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL,			-- common/plan/testkey.h
	build BIGINT NOT NULL REFERENCES build (id),
	repository BIGINT NOT NULL,		-- who asked first: where the export comes from
	project TEXT NOT NULL,
	commit_oid TEXT NOT NULL,
	pipeline TEXT NOT NULL,
	fabric_name TEXT NOT NULL,		-- FABRIC_NAME that the tests see
	state TEXT NOT NULL,			-- queued, claimed, running, passed, failed, cancelled
	reason TEXT,				-- wait reason while queued; first cause at the end
	detail TEXT,
	since_ms BIGINT NOT NULL,
	slot BIGINT NOT NULL,			-- -1: none
	fence BIGINT NOT NULL,			-- raised by each claim
	lease_ms BIGINT NOT NULL,		-- claim ends then; 0: none
	kept BIGINT NOT NULL,			-- 1: whoever needs this key takes this one
	flaky BIGINT NOT NULL,			-- 1: passed, and some test only when tried again
	passed BIGINT NOT NULL,			-- number of tests
	failed BIGINT NOT NULL,
	errors BIGINT NOT NULL,
	skipped BIGINT NOT NULL,
	last_lines TEXT,
	created_ms BIGINT NOT NULL,
	started_ms BIGINT,
	ended_ms BIGINT,
	priority BIGINT NOT NULL DEFAULT 0,	-- its place in line, as a build's
	turn BIGINT NOT NULL DEFAULT 0,
	bumped_ms BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX test_key ON test (key) WHERE kept = 1;
CREATE INDEX test_state ON test (state);
CREATE INDEX test_bumped ON test (bumped_ms DESC, id) WHERE state = 'queued' AND bumped_ms > 0;
CREATE INDEX test_age ON test (created_ms, id) WHERE state = 'queued';
CREATE INDEX test_turn ON test (priority DESC, turn, created_ms, id) WHERE state = 'queued';
CREATE INDEX test_used ON test (repository, priority, turn) WHERE state = 'queued';
CREATE INDEX test_build ON test (build);

CREATE TABLE test_case (
	test BIGINT NOT NULL REFERENCES test (id),
	n BIGINT NOT NULL,			-- order of the report
	path TEXT NOT NULL,			-- pipelines/x/code/test/FILE::CLASS::NAME
	outcome TEXT NOT NULL,			-- passed, failed, error, skipped
	flaky BIGINT NOT NULL,			-- 1: passed only when tried again
	took_ms BIGINT NOT NULL,
	message TEXT,
	trace TEXT,				-- its first lines
	PRIMARY KEY (test, n)
);

CREATE TABLE demand_test (
	demand BIGINT NOT NULL REFERENCES demand (id),
	test BIGINT NOT NULL REFERENCES test (id),
	build BIGINT NOT NULL REFERENCES build (id),
	PRIMARY KEY (demand, build)
);
CREATE INDEX demand_test_test ON demand_test (test);

ALTER TABLE test ADD COLUMN cancel TEXT;		-- it shall end, as a build's

-- ---- builds: rebuilt to be compared ----

ALTER TABLE build ADD COLUMN check_of BIGINT NOT NULL DEFAULT 0;	-- not 0: rebuilds that one's key to compare
DROP INDEX build_key;
CREATE UNIQUE INDEX build_key ON build (key) WHERE state NOT IN ('failed', 'cancelled') AND check_of = 0
	AND gone_ms = 0;
CREATE INDEX build_of_key ON build (key);
CREATE INDEX build_check ON build (check_of, state);
