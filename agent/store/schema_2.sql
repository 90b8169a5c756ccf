-- The store's tables, from version 1 to 2: what came after schema.sql. Same rules as there.

-- ---- events: who may have made a movement; what is held together ----

-- ---- repositories: adoption, looks, restore guard ----

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

CREATE INDEX build_bumped ON build (bumped_ms DESC, id) WHERE state = 'queued' AND bumped_ms > 0;
CREATE INDEX build_age ON build (created_ms, id) WHERE state = 'queued';
CREATE INDEX build_turn ON build (priority DESC, turn, created_ms, id) WHERE state = 'queued';
CREATE INDEX build_used ON build (repository, priority, turn) WHERE state = 'queued';
CREATE INDEX build_cancel ON build (id) WHERE cancel IS NOT NULL AND told = 0;
CREATE INDEX deployment_bumped ON deployment (environment, bumped_ms DESC, id)
	WHERE state = 'waiting' AND bumped_ms > 0;
CREATE INDEX deployment_age ON deployment (environment, created_ms, id) WHERE state = 'waiting';
CREATE INDEX deployment_turn ON deployment (environment, priority DESC, turn, created_ms, id)
	WHERE state = 'waiting';
CREATE INDEX deployment_used ON deployment (repository, priority, fabric, turn) WHERE state = 'waiting';
CREATE INDEX deployment_place ON deployment (environment, fabric) WHERE state = 'waiting';
CREATE INDEX deployment_target ON deployment (repository, project, environment, state);
CREATE INDEX deployment_demand ON deployment (demand);
CREATE INDEX run_bumped ON run (fabric, bumped_ms DESC, id) WHERE state = 'queued' AND bumped_ms > 0;
CREATE INDEX run_age ON run (fabric, created_ms, id) WHERE state = 'queued';
CREATE INDEX run_turn ON run (fabric, priority DESC, turn, created_ms, id) WHERE state = 'queued';
CREATE INDEX run_used ON run (repository, priority, turn) WHERE state = 'queued';
CREATE INDEX demand_look ON demand (id) WHERE look = 1 AND state IN ('waiting', 'active');
CREATE INDEX demand_keyless ON demand (id) WHERE toolchain IS NULL AND state = 'waiting';
CREATE INDEX demand_place ON demand (repository, project, environment, ref, state);
CREATE INDEX event_survey ON event (lease_ms, id) WHERE state = 'open' AND surveyed = 0;
CREATE INDEX event_settling ON event (id) WHERE settling = 1;
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
UPDATE event SET settling = 1 WHERE state = 'open' AND surveyed = 1 AND NOT EXISTS
	(SELECT 1 FROM demand WHERE demand.event = event.id AND demand.state IN ('waiting', 'active'));

-- ---- cancel, retry, bump, drain ----

-- ---- tests of projects ----

-- ---- builds: rebuilt to be compared ----
