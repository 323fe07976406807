-- Trusts, their schools and units. Derived from the journal.
CREATE TABLE trust (
    trust_id               BLOB PRIMARY KEY,
    name                   TEXT NOT NULL,
    group_uid              TEXT UNIQUE,
    ukprn                  TEXT,
    companies_house_number TEXT,
    version                INTEGER NOT NULL,
    created_at             TEXT NOT NULL
) STRICT;

CREATE INDEX trust_by_name ON trust (name, trust_id);

CREATE TABLE school (
    school_id       BLOB PRIMARY KEY,
    trust_id        BLOB NOT NULL REFERENCES trust,
    urn             TEXT NOT NULL,
    name            TEXT NOT NULL,
    phase           TEXT NOT NULL,
    status          TEXT NOT NULL,
    la_code         TEXT,
    laestab         TEXT,
    ukprn           TEXT,
    capacity        INTEGER,
    pupils          INTEGER,
    easting         INTEGER,
    northing        INTEGER,
    lowest_age      INTEGER,
    highest_age     INTEGER,
    joined_on       TEXT NOT NULL,
    left_on         TEXT,
    merged_into_urn TEXT,
    version         INTEGER NOT NULL
) STRICT;

-- An establishment is in one trust at a time.
CREATE UNIQUE INDEX school_here ON school (urn) WHERE left_on IS NULL;
CREATE INDEX school_by_trust ON school (trust_id, name, school_id);

-- URNs a school had before a conversion; `version` is the school's when it gave the URN up.
CREATE TABLE previous_urn (
    school_id BLOB NOT NULL REFERENCES school,
    version   INTEGER NOT NULL,
    urn       TEXT NOT NULL,
    PRIMARY KEY (school_id, version)
) STRICT;

CREATE TABLE unit (
    unit_id    BLOB PRIMARY KEY,
    school_id  BLOB NOT NULL REFERENCES school,
    trust_id   BLOB NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    year_group INTEGER,
    version    INTEGER NOT NULL
) STRICT;

CREATE INDEX unit_by_school ON unit (school_id, name, unit_id);

-- Journeys and their log. Derived from the journal.
CREATE TABLE journey (
    journey_id BLOB PRIMARY KEY,
    trust_id   BLOB NOT NULL,
    school_id  BLOB NOT NULL REFERENCES school,
    unit_id    BLOB REFERENCES unit,
    version    INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX journey_of_school ON journey (school_id) WHERE unit_id IS NULL;
CREATE UNIQUE INDEX journey_of_unit ON journey (unit_id) WHERE unit_id IS NOT NULL;
CREATE INDEX journey_by_trust ON journey (trust_id, journey_id);

-- `evidence` and `ratings` are JSON. `rationale` is null once erased.
CREATE TABLE transition (
    journey_id    BLOB NOT NULL REFERENCES journey,
    version       INTEGER NOT NULL,
    transition_id BLOB NOT NULL,
    kind          TEXT NOT NULL,
    from_phase    TEXT,
    to_phase      TEXT,
    rationale     TEXT,
    evidence      TEXT NOT NULL,
    ratings       TEXT NOT NULL,
    effective_on  TEXT NOT NULL,
    recorded_at   TEXT NOT NULL,
    actor         TEXT NOT NULL,
    corrects      BLOB,
    suggested     TEXT,
    quick         INTEGER NOT NULL,
    PRIMARY KEY (journey_id, version)
) STRICT;

-- Ratings given without a transition.
CREATE TABLE rating_round (
    journey_id   BLOB NOT NULL REFERENCES journey,
    version      INTEGER NOT NULL,
    ratings      TEXT NOT NULL,
    rationale    TEXT,
    effective_on TEXT NOT NULL,
    recorded_at  TEXT NOT NULL,
    actor        TEXT NOT NULL,
    PRIMARY KEY (journey_id, version)
) STRICT;
