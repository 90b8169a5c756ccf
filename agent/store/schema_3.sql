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

-- ---- outbox ----
