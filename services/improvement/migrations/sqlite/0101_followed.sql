-- What this service knows of schools and signals from following the other services' journals.
CREATE TABLE school (
    school_id     BLOB NOT NULL PRIMARY KEY,
    trust_id      BLOB NOT NULL,
    urn           TEXT NOT NULL,
    laestab       TEXT,
    ukprn         TEXT,
    -- merged, closed or moved; absent while the school is the trust's.
    departure     TEXT,
    successor_urn TEXT
) STRICT;

CREATE INDEX school_of_trust ON school (trust_id);

-- Every URN a school has had while in the trust.
CREATE TABLE school_urn (
    trust_id  BLOB NOT NULL,
    urn       TEXT NOT NULL,
    school_id BLOB NOT NULL REFERENCES school,
    PRIMARY KEY (trust_id, urn)
) STRICT;

CREATE TABLE signal (
    signal_id BLOB NOT NULL PRIMARY KEY,
    trust_id  BLOB NOT NULL,
    school_id BLOB NOT NULL,
    measure   TEXT NOT NULL,
    -- Of the week it was raised for, and the centre of the weeks before, in the measure's unit.
    value     REAL NOT NULL,
    centre    REAL NOT NULL,
    state     TEXT NOT NULL
) STRICT;
