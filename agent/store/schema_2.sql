-- The store's tables, from version 1 to 2: what came after schema.sql. Same rules as there.

-- ---- events: who may have made a movement; what is held together ----

-- ---- repositories: adoption, looks, restore guard ----

-- ---- recovery, pauses, retention ----

-- ---- queue: order, leases, fences ----

-- ---- cancel, retry, bump, drain ----

-- ---- tests of projects ----

-- ---- builds: rebuilt to be compared ----
