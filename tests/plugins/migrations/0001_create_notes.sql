-- What the tests keep.
CREATE TABLE notes (
    id text NOT NULL PRIMARY KEY,
    title text NOT NULL
);
