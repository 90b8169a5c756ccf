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
	digest TEXT NOT NULL,			-- of all that was rendered (common/plan/rendered.h)
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

-- ---- outbox ----
