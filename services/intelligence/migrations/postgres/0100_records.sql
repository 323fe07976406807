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

-- Pupils a vendor told of in a record of their own, by the keyed hash of the vendor's id.
CREATE TABLE pupil (
    trust_id UUID NOT NULL,
    hash     BYTEA NOT NULL,
    changed  BIGINT NOT NULL,
    PRIMARY KEY (trust_id, hash)
);

-- Everybody ever named at a school, packed: domain/roll.rs says how. `pupils` holds 16 bytes each, by pupil index.
CREATE TABLE roll (
    school_id  UUID PRIMARY KEY,
    trust_id   UUID NOT NULL,
    pupils     BYTEA NOT NULL,
    enrolments BYTEA NOT NULL
);

CREATE INDEX roll_by_trust ON roll (trust_id);

-- A school's marks of one session: a byte for each pupil index from `first_index`, the row of the attendance code or
-- 255 for none. `changed` is the journal's position of the push that changed it last.
CREATE TABLE register (
    school_id   UUID NOT NULL,
    date        DATE NOT NULL,
    session     TEXT NOT NULL,
    trust_id    UUID NOT NULL,
    first_index INTEGER NOT NULL,
    marks       BYTEA NOT NULL,
    changed     BIGINT NOT NULL,
    PRIMARY KEY (school_id, date, session)
) WITH (fillfactor = 90);

-- What a school's registers of a week come to.
CREATE TABLE week (
    school_id    UUID NOT NULL,
    starts_on    DATE NOT NULL,
    trust_id     UUID NOT NULL,
    possible     BIGINT NOT NULL,
    absent       BIGINT NOT NULL,
    unauthorised BIGINT NOT NULL,
    late         BIGINT NOT NULL,
    pupils       INTEGER NOT NULL,
    persistent   INTEGER NOT NULL,
    severe       INTEGER NOT NULL,
    PRIMARY KEY (school_id, starts_on)
) WITH (fillfactor = 80);

CREATE INDEX week_by_trust ON week (trust_id, starts_on);

-- Each pupil's sessions in a term before the day `folded_to`, packed: domain/tally.rs says how.
CREATE TABLE tally (
    school_id UUID NOT NULL,
    term      DATE NOT NULL,
    trust_id  UUID NOT NULL,
    folded_to DATE NOT NULL,
    cells     BYTEA NOT NULL,
    PRIMARY KEY (school_id, term)
);

CREATE INDEX tally_by_trust ON tally (trust_id, term);

-- What is packed does not compress, and trying costs more than it saves.
ALTER TABLE roll ALTER COLUMN pupils SET STORAGE EXTERNAL, ALTER COLUMN enrolments SET STORAGE EXTERNAL;
ALTER TABLE register ALTER COLUMN marks SET STORAGE EXTERNAL;
ALTER TABLE tally ALTER COLUMN cells SET STORAGE EXTERNAL;

-- For reading registers with SQL: the byte of each attendance code, its row in data/attendance_codes.csv.
CREATE TABLE attendance_code (
    byte BYTEA PRIMARY KEY,
    code TEXT NOT NULL
);

INSERT INTO attendance_code (byte, code) VALUES
    ('\x00', '/'), ('\x01', '\'), ('\x02', 'L'), ('\x03', 'B'), ('\x04', 'K'), ('\x05', 'P'), ('\x06', 'V'),
    ('\x07', 'W'), ('\x08', 'C'), ('\x09', 'C1'), ('\x0a', 'C2'), ('\x0b', 'E'), ('\x0c', 'I'),
    ('\x0d', 'J1'), ('\x0e', 'M'), ('\x0f', 'R'), ('\x10', 'S'), ('\x11', 'T'), ('\x12', 'G'), ('\x13', 'N'),
    ('\x14', 'O'), ('\x15', 'U'), ('\x16', 'D'), ('\x17', 'Q'), ('\x18', 'X'), ('\x19', 'Y1'), ('\x1a', 'Y2'),
    ('\x1b', 'Y3'), ('\x1c', 'Y4'), ('\x1d', 'Y5'), ('\x1e', 'Y6'), ('\x1f', 'Y7'), ('\x20', 'Z'),
    ('\x21', '#'), ('\x22', 'H'), ('\x23', 'J'), ('\x24', 'Y');

-- Every mark as a row, the pupil as 32 hexadecimal digits.
CREATE VIEW attendance_mark AS
SELECT register.trust_id, register.school_id, register.date, register.session,
    encode(substring(roll.pupils FROM (first_index + place) * 16 + 1 FOR 16), 'hex') AS pupil,
    attendance_code.code, register.changed
FROM register
JOIN roll ON roll.school_id = register.school_id
CROSS JOIN LATERAL generate_series(0, length(register.marks) - 1) AS place
JOIN attendance_code ON attendance_code.byte = substring(register.marks FROM place + 1 FOR 1);
