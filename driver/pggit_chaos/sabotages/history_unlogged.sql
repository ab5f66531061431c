-- category: corruption
-- The history is empty after a crash of the server.
ALTER TABLE pggit.history SET UNLOGGED;
