-- Trusts, their schools and units. Derived from the journal.
CREATE TABLE trust (
    trust_id               UUID PRIMARY KEY,
    name                   TEXT COLLATE "C" NOT NULL,
    group_uid              TEXT UNIQUE,
    ukprn                  TEXT,
    companies_house_number TEXT,
    version                INTEGER NOT NULL,
    created_at             TIMESTAMPTZ NOT NULL
);

CREATE INDEX trust_by_name ON trust (name, trust_id);

CREATE TABLE school (
    school_id       UUID PRIMARY KEY,
    trust_id        UUID NOT NULL REFERENCES trust,
    urn             TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
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
    joined_on       DATE NOT NULL,
    left_on         DATE,
    merged_into_urn TEXT,
    version         INTEGER NOT NULL
);

-- An establishment is in one trust at a time.
CREATE UNIQUE INDEX school_here ON school (urn) WHERE left_on IS NULL;
CREATE INDEX school_by_trust ON school (trust_id, name, school_id);

-- URNs a school had before a conversion; `version` is the school's when it gave the URN up.
CREATE TABLE previous_urn (
    school_id UUID NOT NULL REFERENCES school,
    version   INTEGER NOT NULL,
    urn       TEXT NOT NULL,
    PRIMARY KEY (school_id, version)
);

CREATE TABLE unit (
    unit_id    UUID PRIMARY KEY,
    school_id  UUID NOT NULL REFERENCES school,
    trust_id   UUID NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    year_group INTEGER,
    version    INTEGER NOT NULL
);

CREATE INDEX unit_by_school ON unit (school_id, name, unit_id);

-- Journeys and their log. Derived from the journal.
CREATE TABLE journey (
    journey_id UUID PRIMARY KEY,
    trust_id   UUID NOT NULL,
    school_id  UUID NOT NULL REFERENCES school,
    unit_id    UUID REFERENCES unit,
    version    INTEGER NOT NULL
);

CREATE UNIQUE INDEX journey_of_school ON journey (school_id) WHERE unit_id IS NULL;
CREATE UNIQUE INDEX journey_of_unit ON journey (unit_id) WHERE unit_id IS NOT NULL;
CREATE INDEX journey_by_trust ON journey (trust_id, journey_id);

-- `evidence` and `ratings` are JSON. `rationale` is null once erased.
CREATE TABLE transition (
    journey_id    UUID NOT NULL REFERENCES journey,
    version       INTEGER NOT NULL,
    transition_id UUID NOT NULL,
    kind          TEXT NOT NULL,
    from_phase    TEXT,
    to_phase      TEXT,
    rationale     TEXT,
    evidence      TEXT NOT NULL,
    ratings       TEXT NOT NULL,
    effective_on  DATE NOT NULL,
    recorded_at   TIMESTAMPTZ NOT NULL,
    actor         TEXT NOT NULL,
    corrects      UUID,
    suggested     TEXT,
    quick         BOOLEAN NOT NULL,
    PRIMARY KEY (journey_id, version)
);

-- Ratings given without a transition.
CREATE TABLE rating_round (
    journey_id   UUID NOT NULL REFERENCES journey,
    version      INTEGER NOT NULL,
    ratings      TEXT NOT NULL,
    rationale    TEXT,
    effective_on DATE NOT NULL,
    recorded_at  TIMESTAMPTZ NOT NULL,
    actor        TEXT NOT NULL,
    PRIMARY KEY (journey_id, version)
);
