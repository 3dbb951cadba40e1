-- rt: no transaction
DROP INDEX CONCURRENTLY IF EXISTS notes_by_stars;
CREATE INDEX CONCURRENTLY notes_by_stars ON notes (stars);
