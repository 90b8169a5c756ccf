-- The store's tables, from version 2 to 3: releases that are promoted, approved, rolled back. Same rules
-- as in schema.sql.

-- ---- releases: signatures ----

CREATE INDEX label_version ON label (version);	-- a release by what people type
CREATE INDEX label_ref ON label (ref);

-- ---- demands and deployments that people ask for; approvals, freezes, locks ----

-- ---- what a fabric has: verified, pinned, orphans ----

-- ---- audit, tokens ----

-- ---- outbox ----
