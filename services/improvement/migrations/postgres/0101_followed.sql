-- What this service knows of schools and signals from following the other services' journals.
CREATE TABLE school (
    school_id     UUID NOT NULL PRIMARY KEY,
    trust_id      UUID NOT NULL,
    urn           TEXT NOT NULL,
    laestab       TEXT,
    ukprn         TEXT,
    -- merged, closed or moved; absent while the school is the trust's.
    departure     TEXT,
    successor_urn TEXT
);

CREATE INDEX school_of_trust ON school (trust_id);

-- Every URN a school has had while in the trust.
CREATE TABLE school_urn (
    trust_id  UUID NOT NULL,
    urn       TEXT NOT NULL,
    school_id UUID NOT NULL REFERENCES school,
    PRIMARY KEY (trust_id, urn)
);

CREATE TABLE signal (
    signal_id UUID NOT NULL PRIMARY KEY,
    trust_id  UUID NOT NULL,
    school_id UUID NOT NULL,
    measure   TEXT NOT NULL,
    -- Of the week it was raised for, and the centre of the weeks before, in the measure's unit.
    value     DOUBLE PRECISION NOT NULL,
    centre    DOUBLE PRECISION NOT NULL,
    state     TEXT NOT NULL
);
