-- The store's tables, from version 3 to 4: jobs that a release leaves as they are, runs on every
-- provider. Same rules as in schema.sql.

-- ---- which version a definition has ----

-- A job belongs to the newest release that left it as it is; its definition has the version of the one that
-- changed it last. '': not known.
ALTER TABLE deployed_job ADD COLUMN version TEXT NOT NULL DEFAULT '';	-- that it was rendered with
ALTER TABLE deployed_job ADD COLUMN ref TEXT NOT NULL DEFAULT '';	-- of that label
ALTER TABLE deployed_job ADD COLUMN written TEXT NOT NULL DEFAULT '';	-- release that wrote it: its stamp there
UPDATE deployed_job SET written = release,
	version = COALESCE((SELECT label.version FROM deployment JOIN label ON label.id = deployment.label
		WHERE deployment.id = deployed_job.deployment), ''),
	ref = COALESCE((SELECT label.ref FROM deployment JOIN label ON label.id = deployment.label
		WHERE deployment.id = deployed_job.deployment), '');

-- What lies at the paths of a project's artifacts. A path never gets other bytes.
CREATE TABLE deployed_artifact (
	fabric TEXT NOT NULL,
	repository BIGINT NOT NULL,
	project TEXT NOT NULL,
	path TEXT NOT NULL,			-- below FileStore
	digest TEXT NOT NULL,
	PRIMARY KEY (fabric, repository, project, path)
);

-- ---- runs on every provider ----

-- its fabric's provider when it was asked for: local runs are the build role's, others the deploy role's
ALTER TABLE run ADD COLUMN provider TEXT NOT NULL DEFAULT 'local';
ALTER TABLE run ADD COLUMN params TEXT;			-- object of texts (JSON); NULL: none
ALTER TABLE run ADD COLUMN remote_id TEXT;		-- the provider's own number of it; NULL: none is known
ALTER TABLE run ADD COLUMN url TEXT;			-- the provider's page
-- 1: goes on from what failed in retry_of; 2: and its provider has begun that
ALTER TABLE run ADD COLUMN repair BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN url TEXT;
CREATE INDEX run_retry ON run (retry_of);

-- ---- drift: what is in force in place of what was deployed ----

-- of the definition that is in force, the content store has the bytes by observed_job.digest
ALTER TABLE observed_job ADD COLUMN changed_by TEXT;	-- where the provider tells; NULL: not known
ALTER TABLE observed_job ADD COLUMN paused BIGINT NOT NULL DEFAULT 0;	-- 1: it does not start by itself
ALTER TABLE observed_job ADD COLUMN since_ms BIGINT NOT NULL DEFAULT 0;	-- first seen so; 0: not known

-- ---- toolchains by rule ----

ALTER TABLE demand ADD COLUMN wants TEXT;		-- toolchain that it is to be keyed with and that is missing
CREATE INDEX demand_unlooked ON demand (state, toolchain, wants, id);
CREATE INDEX demand_wants ON demand (wants) WHERE wants IS NOT NULL;
