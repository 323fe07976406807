-- What the registry told of schools. Kept by following its journal.
CREATE TABLE school (
    school_id     UUID PRIMARY KEY,
    trust_id      UUID NOT NULL,
    urn           TEXT NOT NULL,
    name          TEXT NOT NULL,
    left_on       DATE,
    successor_urn TEXT
);

CREATE INDEX school_by_trust ON school (trust_id);

-- Every number a school has or had: URN, LAESTAB, UKPRN, told apart by their length.
CREATE TABLE school_urn (
    trust_id  UUID NOT NULL,
    number    TEXT NOT NULL,
    school_id UUID NOT NULL,
    PRIMARY KEY (trust_id, number)
);

-- A pupil is a number of ours; the vendor's id is kept only as a keyed hash.
CREATE TABLE pupil (
    trust_id UUID NOT NULL,
    number   INTEGER NOT NULL,
    hash     BYTEA NOT NULL,
    PRIMARY KEY (trust_id, number),
    UNIQUE (trust_id, hash)
);

CREATE TABLE enrolment (
    trust_id   UUID NOT NULL,
    school_id  UUID NOT NULL,
    pupil      INTEGER NOT NULL,
    starts_on  DATE NOT NULL,
    ends_on    DATE,
    year_group INTEGER NOT NULL,
    PRIMARY KEY (school_id, pupil, starts_on)
);

CREATE INDEX enrolment_by_pupil ON enrolment (trust_id, pupil);

-- A school's marks of one session, packed: 6 bytes each. `waiting` of them wait for an enrolment.
CREATE TABLE register (
    school_id UUID NOT NULL,
    date      DATE NOT NULL,
    session   TEXT NOT NULL,
    waiting   INTEGER NOT NULL,
    marks     BYTEA NOT NULL,
    PRIMARY KEY (school_id, date, session)
);

CREATE INDEX register_waiting ON register (school_id) WHERE waiting > 0;

-- Each pupil's sessions in a week, term or academic year, packed: 9 bytes each, and what they come to.
CREATE TABLE tally (
    school_id  UUID NOT NULL,
    period     TEXT NOT NULL,
    starts_on  DATE NOT NULL,
    possible   BIGINT NOT NULL,
    absent     BIGINT NOT NULL,
    pupils     INTEGER NOT NULL,
    persistent INTEGER NOT NULL,
    severe     INTEGER NOT NULL,
    cells      BYTEA NOT NULL,
    PRIMARY KEY (school_id, period, starts_on)
);
