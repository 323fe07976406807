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

-- Pupils a vendor told of in a record of their own, by the keyed hash of the vendor's id.
CREATE TABLE pupil (
    trust_id BLOB NOT NULL,
    hash     BLOB NOT NULL,
    changed  INTEGER NOT NULL,
    PRIMARY KEY (trust_id, hash)
) STRICT;

-- Everybody ever named at a school, packed: domain/roll.rs says how. `pupils` holds 16 bytes each, by pupil index.
CREATE TABLE roll (
    school_id  BLOB PRIMARY KEY,
    trust_id   BLOB NOT NULL,
    pupils     BLOB NOT NULL,
    enrolments BLOB NOT NULL
) STRICT;

CREATE INDEX roll_by_trust ON roll (trust_id);

-- A school's marks of one session: a byte for each pupil index from `first_index`, the row of the attendance code or
-- 255 for none. `changed` is the journal's position of the push that changed it last.
CREATE TABLE register (
    school_id   BLOB NOT NULL,
    date        TEXT NOT NULL,
    session     TEXT NOT NULL,
    trust_id    BLOB NOT NULL,
    first_index INTEGER NOT NULL,
    marks       BLOB NOT NULL,
    changed     INTEGER NOT NULL,
    PRIMARY KEY (school_id, date, session)
) STRICT;

-- What a school's registers of a week come to.
CREATE TABLE week (
    school_id    BLOB NOT NULL,
    starts_on    TEXT NOT NULL,
    trust_id     BLOB NOT NULL,
    possible     INTEGER NOT NULL,
    absent       INTEGER NOT NULL,
    unauthorised INTEGER NOT NULL,
    late         INTEGER NOT NULL,
    pupils       INTEGER NOT NULL,
    persistent   INTEGER NOT NULL,
    severe       INTEGER NOT NULL,
    PRIMARY KEY (school_id, starts_on)
) STRICT;

CREATE INDEX week_by_trust ON week (trust_id, starts_on);

-- Each pupil's sessions in a term before the day `folded_to`, packed: domain/tally.rs says how.
CREATE TABLE tally (
    school_id BLOB NOT NULL,
    term      TEXT NOT NULL,
    trust_id  BLOB NOT NULL,
    folded_to TEXT NOT NULL,
    cells     BLOB NOT NULL,
    PRIMARY KEY (school_id, term)
) STRICT;

CREATE INDEX tally_by_trust ON tally (trust_id, term);

-- For reading registers with SQL: the byte of each attendance code, its row in data/attendance_codes.csv.
CREATE TABLE attendance_code (
    byte BLOB PRIMARY KEY,
    code TEXT NOT NULL
) STRICT;

INSERT INTO attendance_code (byte, code) VALUES
    (x'00', '/'), (x'01', '\'), (x'02', 'L'), (x'03', 'B'), (x'04', 'K'), (x'05', 'P'), (x'06', 'V'),
    (x'07', 'W'), (x'08', 'C'), (x'09', 'C1'), (x'0a', 'C2'), (x'0b', 'E'), (x'0c', 'I'), (x'0d', 'J1'),
    (x'0e', 'M'), (x'0f', 'R'), (x'10', 'S'), (x'11', 'T'), (x'12', 'G'), (x'13', 'N'), (x'14', 'O'),
    (x'15', 'U'), (x'16', 'D'), (x'17', 'Q'), (x'18', 'X'), (x'19', 'Y1'), (x'1a', 'Y2'), (x'1b', 'Y3'),
    (x'1c', 'Y4'), (x'1d', 'Y5'), (x'1e', 'Y6'), (x'1f', 'Y7'), (x'20', 'Z'), (x'21', '#'), (x'22', 'H'),
    (x'23', 'J'), (x'24', 'Y');

-- Every mark as a row, the pupil as 32 hexadecimal digits. The array that is unpacked has a zero for each byte: SQLite
-- counts by nothing else.
CREATE VIEW attendance_mark AS
SELECT register.trust_id, register.school_id, register.date, register.session,
    lower(hex(substr(roll.pupils, (first_index + place.key) * 16 + 1, 16))) AS pupil,
    attendance_code.code, register.changed
FROM register
JOIN roll ON roll.school_id = register.school_id
JOIN json_each('[' || rtrim(replace(hex(zeroblob(length(register.marks))), '00', '0,'), ',') || ']') AS place
JOIN attendance_code ON attendance_code.byte = substr(register.marks, place.key + 1, 1);
