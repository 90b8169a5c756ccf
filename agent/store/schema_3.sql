-- The store's tables, from version 2 to 3: releases that are promoted, approved, rolled back. Same rules
-- as in schema.sql.

-- ---- releases: signatures ----

ALTER TABLE release ADD COLUMN signature TEXT;	-- Ed25519 over the manifest, hex; NULL: not signed yet (version 2)
ALTER TABLE release ADD COLUMN signed_by TEXT;	-- id of the key
CREATE INDEX release_unsigned ON release (id) WHERE signature IS NULL;

CREATE INDEX label_version ON label (version);	-- a release by what people type
CREATE INDEX label_ref ON label (ref);

-- ---- demands and deployments that people ask for; approvals, freezes, locks ----

-- What people ask for is a demand of the event that its label came from, with its release set: nothing is
-- built for it. promote, redeploy, rollback, deploy; NULL: its event asks for it.
ALTER TABLE demand ADD COLUMN asked TEXT;
ALTER TABLE demand ADD COLUMN asked_by TEXT;		-- as shown
ALTER TABLE demand ADD COLUMN asked_why TEXT;
-- number of the newest event then: what came later is newer than this
ALTER TABLE demand ADD COLUMN asked_after BIGINT NOT NULL DEFAULT 0;
ALTER TABLE demand ADD COLUMN jobs TEXT;		-- only these (JSON list of keys); NULL: all

-- A waiting deployment stands at a gate of its own (after, approval, manual, pinned; order: nobody has looked
-- yet) or, with '', in the line of its environment: only those are read by it (agent/store/gate.h).
ALTER TABLE deployment ADD COLUMN gate TEXT NOT NULL DEFAULT '';
ALTER TABLE deployment ADD COLUMN blocked_by TEXT;	-- at that gate, as detail is
ALTER TABLE deployment ADD COLUMN lift TEXT;
ALTER TABLE deployment ADD COLUMN look BIGINT NOT NULL DEFAULT 0;	-- 1: something happened that may let it go on
ALTER TABLE deployment ADD COLUMN gate_policy TEXT;	-- configuration it was looked at with; NULL: it is in line
ALTER TABLE deployment ADD COLUMN let_by TEXT;		-- who said deploy where that is done by hand, as shown
ALTER TABLE deployment ADD COLUMN let_why TEXT;
ALTER TABLE deployment ADD COLUMN emergency BIGINT NOT NULL DEFAULT 0;	-- 1: approved as one: no window, no freeze
-- how its plan differs from the one that was approved; NULL: it does not
ALTER TABLE deployment ADD COLUMN changed TEXT;
DROP INDEX deployment_bumped;
DROP INDEX deployment_age;
DROP INDEX deployment_turn;
DROP INDEX deployment_place;
CREATE INDEX deployment_bumped ON deployment (state, gate, environment, bumped_ms DESC, id);
CREATE INDEX deployment_age ON deployment (state, gate, environment, created_ms, id);
CREATE INDEX deployment_turn ON deployment (state, gate, environment, priority DESC, turn, created_ms, id);
CREATE INDEX deployment_place ON deployment (state, gate, environment, fabric);
CREATE INDEX deployment_emergency ON deployment (environment, id) WHERE state = 'waiting' AND gate = ''
	AND emergency = 1;
CREATE INDEX deployment_look ON deployment (look, id) WHERE look = 1;
CREATE INDEX deployment_judged ON deployment (state, gate_policy, id);
CREATE INDEX deployment_gate ON deployment (gate, release) WHERE state = 'waiting';
UPDATE deployment SET gate = 'order', look = 1 WHERE state = 'waiting';

-- What people decided about a deployment's plan; counted are those of its plan as it is.
CREATE TABLE approval (
	id INTEGER PRIMARY KEY,
	deployment BIGINT NOT NULL REFERENCES deployment (id),
	plan_digest TEXT NOT NULL,		-- what he saw
	login TEXT NOT NULL,
	who TEXT NOT NULL,			-- as shown
	decision TEXT NOT NULL,			-- approved, rejected
	emergency BIGINT NOT NULL,		-- 1: by the emergency team, alone
	message TEXT,
	policy TEXT NOT NULL,			-- digest of the configuration then
	at_ms BIGINT NOT NULL
);
CREATE INDEX approval_deployment ON approval (deployment, id);

-- What people have closed: a freeze lets emergencies through, a lock nothing.
CREATE TABLE closure (
	fabric TEXT NOT NULL,
	kind TEXT NOT NULL,			-- freeze, lock
	who TEXT NOT NULL,			-- as shown
	why TEXT NOT NULL,
	since_ms BIGINT NOT NULL,
	until_ms BIGINT NOT NULL,		-- 0: until somebody opens it
	PRIMARY KEY (fabric, kind)
);

-- ---- what a fabric has: verified, pinned, orphans ----

-- the deployment whose release did not yield it any more; 0: it is live
ALTER TABLE deployed_job ADD COLUMN orphan_of BIGINT NOT NULL DEFAULT 0;

-- Whether a fabric was as planned after a deployment's last step. That a release is verified is a fact of
-- release, fabric and what was rendered for it: the newest row of the three that has ended says.
CREATE TABLE verification (
	deployment BIGINT PRIMARY KEY REFERENCES deployment (id),
	fabric TEXT NOT NULL,
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,
	release TEXT NOT NULL,
	digest TEXT NOT NULL,			-- of all that was rendered (struct plan, rendered)
	whole BIGINT NOT NULL,			-- 1: all jobs of the release; part of it proves nothing
	state TEXT NOT NULL,			-- looked, running, verified, failed
	reason TEXT,				-- why it is not verified
	run BIGINT NOT NULL DEFAULT 0,		-- that shall prove it; 0: looking is enough
	until_ms BIGINT NOT NULL DEFAULT 0,	-- the run must have passed then
	since_ms BIGINT NOT NULL		-- of this state
);
CREATE INDEX verification_state ON verification (state, deployment);
CREATE INDEX verification_fact ON verification (fabric, repository, project, release, digest, deployment);

-- Nothing but going back is deployed to a pinned fabric.
CREATE TABLE pin (
	fabric TEXT PRIMARY KEY,
	who TEXT NOT NULL,			-- as shown
	why TEXT NOT NULL,
	since_ms BIGINT NOT NULL
);

-- ---- what a look found on a fabric ----

-- The last look at the jobs that one project has on a fabric. Of it: observed_job.
CREATE TABLE observation (
	fabric TEXT NOT NULL,			-- name
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,			-- path
	asked_ms BIGINT NOT NULL,		-- the deploy role was asked
	seen_ms BIGINT NOT NULL,		-- it has answered; 0: not yet
	problem TEXT,				-- why it could not look
	PRIMARY KEY (fabric, repository, project)
);
-- Where it differed from deployed_job, which is what we put there. Goes with the next deployment.
CREATE TABLE observed_job (
	fabric TEXT NOT NULL,
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,
	job TEXT NOT NULL,			-- key
	digest TEXT NOT NULL,			-- of the definition in force; '': none
	PRIMARY KEY (fabric, repository, project, job)
);

-- ---- audit, tokens ----

-- What people and core decided. A row is never changed and never removed; meta's audit_head is the
-- number and hash of the last one, and the file audit.head beside the store knows it too.
CREATE TABLE audit (
	number INTEGER PRIMARY KEY,		-- from 1, without holes
	at_ms BIGINT NOT NULL,
	who TEXT NOT NULL,			-- as shown: "root (as kim)"; penstock: core by its own rules
	what TEXT NOT NULL,			-- cancel, approve, pause, held, ...
	outcome TEXT NOT NULL,			-- done, refused
	thing TEXT,				-- as typed: e88, "fabric production"; NULL: none
	why TEXT,				-- what he said, or the rule; NULL: nothing
	policy TEXT,				-- digest of the configuration in force; NULL: not known yet
	details TEXT NOT NULL,			-- an object, canonical JSON
	prev TEXT NOT NULL,			-- hash of the row before; zeros: the first
	hash TEXT NOT NULL			-- SHA-256 over the canonical JSON of the others
);
CREATE INDEX audit_thing ON audit (thing);

CREATE TABLE token (
	id INTEGER PRIMARY KEY,			-- k3 as typed
	hash TEXT NOT NULL UNIQUE,		-- SHA-256 of what its owner shows; that itself is kept nowhere
	owner TEXT NOT NULL,			-- login it speaks for
	scope TEXT NOT NULL,			-- read, act
	name TEXT,				-- what it is for, in his words; NULL: not said
	made_by TEXT NOT NULL,			-- as shown
	made_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	used_ms BIGINT,				-- last use, to the minute; NULL: never
	revoked_ms BIGINT,			-- NULL: not
	revoked_by TEXT				-- as shown
);

-- ---- outbox ----

-- What people shall be told: written with what happened. Whom, is found afterwards by the configuration.
CREATE TABLE notice (
	id INTEGER PRIMARY KEY,
	kind TEXT NOT NULL,			-- approval, deployed, failed, rolled_back
	environment TEXT NOT NULL,
	payload TEXT NOT NULL,			-- a JSON object: what is sent
	once TEXT UNIQUE,			-- told already when there is one of this text; NULL: whenever it happens
	spread BIGINT NOT NULL DEFAULT 0,	-- 1: its letters are made
	created_ms BIGINT NOT NULL
);
CREATE INDEX notice_spread ON notice (id) WHERE spread = 0;

-- One notice to one entry of notify. It is sent at least once, always with the same uid.
CREATE TABLE letter (
	id INTEGER PRIMARY KEY,
	notice BIGINT NOT NULL REFERENCES notice (id),
	target TEXT NOT NULL,			-- name of the entry
	uid TEXT NOT NULL,			-- for the receiver, to know it again
	state TEXT NOT NULL,			-- queued, running, done, failed
	tries BIGINT NOT NULL DEFAULT 0,
	fence BIGINT NOT NULL DEFAULT 0,
	next_ms BIGINT NOT NULL,		-- queued: not before; running: the claim lasts until then
	problem TEXT,				-- what came of the last try
	created_ms BIGINT NOT NULL,
	since_ms BIGINT NOT NULL,		-- of this state
	UNIQUE (notice, target)
);
CREATE INDEX letter_next ON letter (next_ms) WHERE state IN ('queued', 'running');
