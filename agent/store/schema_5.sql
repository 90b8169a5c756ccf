-- The store's tables, from version 4 to 5: jobs that another tool made. Same rules as in schema.sql.

-- What the first deployment of a job there writes to in place of making it; that deployment ends the row.
CREATE TABLE imported_job (
	fabric TEXT NOT NULL,
	repository BIGINT NOT NULL REFERENCES repository (id),
	project TEXT NOT NULL,
	job TEXT NOT NULL,
	name TEXT NOT NULL,			-- as the other tool called it there
	remote_id TEXT NOT NULL,
	who TEXT NOT NULL,
	since_ms BIGINT NOT NULL,
	PRIMARY KEY (fabric, repository, project, job),
	UNIQUE (fabric, remote_id)
);
