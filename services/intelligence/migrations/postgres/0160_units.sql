-- What the registry told of the units of schools. Kept by following its journal.
CREATE TABLE unit (
    unit_id    UUID PRIMARY KEY,
    trust_id   UUID NOT NULL,
    school_id  UUID NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    year_group INTEGER
);
