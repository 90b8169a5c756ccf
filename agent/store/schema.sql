-- The store's tables, version 1; schema_2.sql makes of them version 2, and so on.
-- SQL both SQLite and PostgreSQL take; times are ms since 1970 (UTC),
-- stamps are CLOCK_BOOTTIME in ns. States are the words of the vocabulary, stored as text.
-- A state column is changed by one function of its noun's file and nowhere else.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE repository (
	id INTEGER PRIMARY KEY,
	uid TEXT NOT NULL UNIQUE,		-- penstock.id in its config: survives renames
	path TEXT NOT NULL,			-- real path
	name TEXT NOT NULL,			-- below its root, without .git
	adopted_ms BIGINT NOT NULL		-- baseline recorded
);
CREATE INDEX repository_path ON repository (path);

CREATE TABLE ref (
	repository BIGINT NOT NULL REFERENCES repository (id),
	name TEXT NOT NULL,
	tail TEXT NOT NULL,			-- last value known; all zeros: not there
	seq BIGINT NOT NULL,			-- of its last event; 0: baseline only
	boot TEXT NOT NULL,			-- stamp of the last event or baseline
	stamp BIGINT NOT NULL,
	PRIMARY KEY (repository, name)
);

CREATE TABLE push (
	id INTEGER PRIMARY KEY,
	push TEXT NOT NULL UNIQUE,		-- push id of the hook
	repository BIGINT NOT NULL REFERENCES repository (id),
	pusher TEXT,				-- NULL: unknown
	acting_as TEXT,				-- PENSTOCK_AS of a trusted caller
	uid BIGINT NOT NULL,			-- of the hook's process
	judged TEXT NOT NULL,			-- gate, program, none
	boot TEXT NOT NULL,
	stamp BIGINT NOT NULL,			-- of its first intent
	pid BIGINT NOT NULL,
	pid_start BIGINT NOT NULL,
	ended BIGINT NOT NULL,			-- 1: receive-pack is over and was settled
	at_ms BIGINT NOT NULL
);
CREATE INDEX push_open ON push (ended);

CREATE TABLE intent (
	push BIGINT NOT NULL REFERENCES push (id),
	ref TEXT NOT NULL,			-- symbolic refs resolved
	ordinal BIGINT NOT NULL,
	old TEXT NOT NULL,
	new TEXT NOT NULL,
	seen TEXT,				-- NULL: nobody could read the ref in time
	state TEXT NOT NULL,			-- open, used, void
	reason TEXT,
	alias TEXT,				-- the symbolic ref that was pushed; NULL: ref itself
	PRIMARY KEY (push, ref, ordinal)
);
CREATE INDEX intent_open ON intent (state, ref);

CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	repository BIGINT NOT NULL REFERENCES repository (id),
	ref TEXT NOT NULL,
	seq BIGINT NOT NULL,			-- order on the ref, from 1; never the number
	old TEXT NOT NULL,
	new TEXT NOT NULL,
	kind TEXT NOT NULL,			-- sure, inferred, gap
	push BIGINT REFERENCES push (id),	-- NULL: nobody known
	k BIGINT NOT NULL,			-- line of that ref in the push's report, from 0; -1: none
	pusher TEXT,				-- as shown: "ana", "root (as kim)"; NULL: unknown
	state TEXT NOT NULL,			-- open, held, superseded, done
	reason TEXT,				-- why held; where it maps; what became of it
	superseded_by BIGINT,
	boot TEXT NOT NULL,
	stamp BIGINT NOT NULL,
	at_ms BIGINT NOT NULL,
	surveyed BIGINT NOT NULL,		-- 1: its projects are known, its demands made, its commit kept;
						-- 2: the commit is let go again
	UNIQUE (repository, ref, seq)
);
CREATE INDEX event_state ON event (state, surveyed);
CREATE INDEX event_push ON event (push, ref, k);

CREATE TABLE demand (
	id INTEGER PRIMARY KEY,
	event BIGINT NOT NULL REFERENCES event (id),
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,			-- path; '.' for the top
	ref TEXT NOT NULL,
	commit_oid TEXT NOT NULL,
	environment TEXT NOT NULL,
	fabric TEXT NOT NULL,
	state TEXT NOT NULL,			-- waiting, active, done, failed, superseded, cancelled
	reason TEXT,				-- one wait reason, or the first cause of the end
	detail TEXT,				-- what blocks; the command that lifts it
	since_ms BIGINT NOT NULL,		-- of this state and reason
	superseded_by BIGINT,
	survey TEXT NOT NULL,			-- the project as the gate told it (JSON)
	toolchain TEXT,				-- digest its builds were keyed with; NULL: not keyed yet
	release TEXT,
	created_ms BIGINT NOT NULL,
	ended_ms BIGINT
);
CREATE INDEX demand_state ON demand (state);
CREATE INDEX demand_event ON demand (event);

CREATE TABLE build (
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL,
	repository BIGINT NOT NULL,		-- who asked first: where the export comes from
	project TEXT NOT NULL,
	commit_oid TEXT NOT NULL,
	pipeline TEXT NOT NULL,
	spec TEXT NOT NULL,			-- inputs, reduced project file, expected wheel (JSON)
	state TEXT NOT NULL,			-- queued, claimed, running, passed, failed, cancelled
	reason TEXT,				-- wait reason while queued; first cause at the end
	detail TEXT,
	since_ms BIGINT NOT NULL,
	slot BIGINT NOT NULL,			-- -1: none
	fence BIGINT NOT NULL,			-- raised by each claim
	lease_ms BIGINT NOT NULL,		-- claim ends then; 0: none
	digest TEXT,				-- of the sealed artifact
	name TEXT,
	size BIGINT,
	toolchain TEXT NOT NULL,		-- digest
	prefix TEXT NOT NULL,			-- where it is
	last_lines TEXT,
	created_ms BIGINT NOT NULL,
	started_ms BIGINT,
	ended_ms BIGINT
);
CREATE UNIQUE INDEX build_key ON build (key) WHERE state NOT IN ('failed', 'cancelled');
CREATE INDEX build_state ON build (state);

CREATE TABLE demand_build (
	demand BIGINT NOT NULL REFERENCES demand (id),
	build BIGINT NOT NULL REFERENCES build (id),
	pipeline TEXT NOT NULL,
	PRIMARY KEY (demand, build, pipeline)
);
CREATE INDEX demand_build_build ON demand_build (build);

CREATE TABLE release (
	id TEXT PRIMARY KEY,			-- SHA-256 of the manifest
	project TEXT NOT NULL,
	manifest TEXT NOT NULL,			-- canonical JSON
	created_ms BIGINT NOT NULL
);

CREATE TABLE label (
	id INTEGER PRIMARY KEY,
	release TEXT NOT NULL REFERENCES release (id),
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,
	ref TEXT NOT NULL,
	commit_oid TEXT NOT NULL,
	version TEXT NOT NULL,			-- release version for placeholders
	event BIGINT NOT NULL,
	pusher TEXT,
	created_ms BIGINT NOT NULL,
	UNIQUE (release, event)
);

CREATE TABLE deployment (
	id INTEGER PRIMARY KEY,
	demand BIGINT NOT NULL REFERENCES demand (id),
	release TEXT NOT NULL REFERENCES release (id),
	label BIGINT NOT NULL REFERENCES label (id),
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,
	environment TEXT NOT NULL,
	fabric TEXT NOT NULL,
	state TEXT NOT NULL,			-- waiting, running, deployed, failed, rejected, cancelled, superseded, unknown
	reason TEXT,
	detail TEXT,
	since_ms BIGINT NOT NULL,
	superseded_by BIGINT,
	fence BIGINT NOT NULL,
	lease_ms BIGINT NOT NULL,
	plan TEXT,				-- canonical JSON of the plan; NULL: none yet
	plan_digest TEXT,
	policy_digest TEXT,
	next_try_ms BIGINT,
	tries BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	started_ms BIGINT,
	ended_ms BIGINT
);
CREATE INDEX deployment_state ON deployment (state);
CREATE INDEX deployment_fabric ON deployment (fabric, id);

CREATE TABLE step (
	deployment BIGINT NOT NULL REFERENCES deployment (id),
	n BIGINT NOT NULL,
	what TEXT NOT NULL,
	state TEXT NOT NULL,			-- planned, begun, done, failed, unknown
	detail TEXT,
	begun_ms BIGINT,
	ended_ms BIGINT,
	PRIMARY KEY (deployment, n)
);

CREATE TABLE deployed_job (
	fabric TEXT NOT NULL,
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,
	job TEXT NOT NULL,			-- key
	name TEXT NOT NULL,
	release TEXT NOT NULL,
	digest TEXT NOT NULL,			-- rendered bytes
	deployment BIGINT NOT NULL,
	fence BIGINT NOT NULL,
	remote_id TEXT,
	state TEXT NOT NULL,			-- live, orphan
	PRIMARY KEY (fabric, repository, project, job)
);

CREATE TABLE run (
	id INTEGER PRIMARY KEY,
	fabric TEXT NOT NULL,
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,
	job TEXT NOT NULL,
	config TEXT,				-- config instance asked for; NULL: the job's own
	release TEXT NOT NULL,
	who TEXT NOT NULL,
	state TEXT NOT NULL,			-- queued, running, passed, failed, cancelled, unknown
	reason TEXT,
	detail TEXT,
	since_ms BIGINT NOT NULL,
	slot BIGINT NOT NULL,
	fence BIGINT NOT NULL,
	spec TEXT NOT NULL,			-- tasks as they will be started (JSON)
	created_ms BIGINT NOT NULL,
	started_ms BIGINT,
	ended_ms BIGINT
);
CREATE INDEX run_state ON run (state);

CREATE TABLE task (
	run BIGINT NOT NULL REFERENCES run (id),
	n BIGINT NOT NULL,			-- order
	task TEXT NOT NULL,
	state TEXT NOT NULL,			-- queued, running, passed, failed, upstream failed, skipped, cancelled, unknown
	reason TEXT,
	last TEXT,				-- last line of its output
	started_ms BIGINT,
	ended_ms BIGINT,
	PRIMARY KEY (run, n)
);
