-- What the registry told of schools. Kept by following its journal.
CREATE TABLE school (
    school_id     BLOB PRIMARY KEY,
    trust_id      BLOB NOT NULL,
    urn           TEXT NOT NULL,
    name          TEXT NOT NULL,
    left_on       TEXT,
    successor_urn TEXT
) STRICT;

CREATE INDEX school_by_trust ON school (trust_id);

-- Every number a school has or had: URN, LAESTAB, UKPRN, told apart by their length.
CREATE TABLE school_urn (
    trust_id  BLOB NOT NULL,
    number    TEXT NOT NULL,
    school_id BLOB NOT NULL,
    PRIMARY KEY (trust_id, number)
) STRICT;

-- A pupil is a number of ours; the vendor's id is kept only as a keyed hash.
CREATE TABLE pupil (
    trust_id BLOB NOT NULL,
    number   INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    PRIMARY KEY (trust_id, number),
    UNIQUE (trust_id, hash)
) STRICT;

CREATE TABLE enrolment (
    trust_id   BLOB NOT NULL,
    school_id  BLOB NOT NULL,
    pupil      INTEGER NOT NULL,
    starts_on  TEXT NOT NULL,
    ends_on    TEXT,
    year_group INTEGER NOT NULL,
    PRIMARY KEY (school_id, pupil, starts_on)
) STRICT;

CREATE INDEX enrolment_by_pupil ON enrolment (trust_id, pupil);

-- A school's marks of one session, packed: 6 bytes each. `waiting` of them wait for an enrolment.
CREATE TABLE register (
    school_id BLOB NOT NULL,
    date      TEXT NOT NULL,
    session   TEXT NOT NULL,
    waiting   INTEGER NOT NULL,
    marks     BLOB NOT NULL,
    PRIMARY KEY (school_id, date, session)
) STRICT;

CREATE INDEX register_waiting ON register (school_id) WHERE waiting > 0;

-- Each pupil's sessions in a week, term or academic year, packed: 9 bytes each, and what they come to.
CREATE TABLE tally (
    school_id  BLOB NOT NULL,
    period     TEXT NOT NULL,
    starts_on  TEXT NOT NULL,
    possible   INTEGER NOT NULL,
    absent     INTEGER NOT NULL,
    pupils     INTEGER NOT NULL,
    persistent INTEGER NOT NULL,
    severe     INTEGER NOT NULL,
    cells      BLOB NOT NULL,
    PRIMARY KEY (school_id, period, starts_on)
) STRICT;
