-- What the registry told of the units of schools. Kept by following its journal.
CREATE TABLE unit (
    unit_id    BLOB PRIMARY KEY,
    trust_id   BLOB NOT NULL,
    school_id  BLOB NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    year_group INTEGER
) STRICT;
