ALTER TABLE notes ADD COLUMN stars bigint;
INSERT INTO notes (id, title, stars) VALUES ('first', 'written by a migration; not by hand', 1);
