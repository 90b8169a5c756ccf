-- The store's tables, from version 2 to 3: releases that are promoted, approved, rolled back. Same rules
-- as in schema.sql.

-- ---- releases: signatures ----

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
