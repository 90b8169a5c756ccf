-- The store's tables, from version 3 to 4: jobs that a release leaves as they are. Same rules as in schema.sql.

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
