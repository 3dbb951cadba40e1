CREATE INDEX notes_by_stars ON notes (stars);
