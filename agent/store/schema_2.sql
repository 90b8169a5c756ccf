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

-- ---- cancel, retry, bump, drain ----

-- ---- tests of projects ----

-- ---- builds: rebuilt to be compared ----
