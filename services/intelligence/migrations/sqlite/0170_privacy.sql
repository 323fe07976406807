-- What pupils count as of whom nothing else is kept, by school and period (day, week, term, academic_year): a packed
-- tally whose numbers mean nothing beyond it. domain/remainder.rs.
CREATE TABLE remainder (
    school_id BLOB NOT NULL,
    kind      TEXT NOT NULL,
    starts_on TEXT NOT NULL,
    trust_id  BLOB NOT NULL,
    cells     BLOB NOT NULL,
    PRIMARY KEY (school_id, kind, starts_on)
) STRICT;

-- How many more of them were on roll from a day on, or fewer.
CREATE TABLE former_roll (
    school_id  BLOB NOT NULL,
    day        TEXT NOT NULL,
    year_group INTEGER NOT NULL,
    flags      INTEGER NOT NULL,
    trust_id   BLOB NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (school_id, day, year_group, flags)
) STRICT;

-- Erasures, made by events. The text says under whose authority: it is kept beside the journal.
CREATE TABLE erasure (
    erasure_id   BLOB PRIMARY KEY,
    trust_id     BLOB NOT NULL,
    subject      TEXT NOT NULL,
    erased       TEXT NOT NULL,
    authority    BLOB,
    erased_at    TEXT NOT NULL,
    erased_by    TEXT NOT NULL,
    position     INTEGER NOT NULL,
    scrubbed_at  TEXT,
    scrubbed_how TEXT,
    lifted_at    TEXT,
    version      INTEGER NOT NULL
) STRICT;

CREATE INDEX erasure_by_trust ON erasure (trust_id, erasure_id);
CREATE INDEX erasure_unscrubbed ON erasure (erasure_id) WHERE scrubbed_at IS NULL;

-- By what erased people are known again, so that they stay erased: their hash under a key of its own. `mark` is a part of
-- the hash too small to tell anybody by, with which most others are passed over.
CREATE TABLE erased_person (
    trust_id   BLOB NOT NULL,
    seal       BLOB NOT NULL,
    mark       INTEGER NOT NULL,
    erasure_id BLOB NOT NULL,
    PRIMARY KEY (trust_id, seal)
) STRICT;

-- Legal holds, made by events.
CREATE TABLE legal_hold (
    hold_id       BLOB PRIMARY KEY,
    trust_id      BLOB NOT NULL,
    kinds         TEXT NOT NULL,
    of_person     INTEGER NOT NULL,
    reason        BLOB,
    given_at      TEXT NOT NULL,
    given_by      TEXT NOT NULL,
    lifted_at     TEXT,
    lifted_by     TEXT,
    lifted_reason BLOB,
    version       INTEGER NOT NULL
) STRICT;

CREATE INDEX legal_hold_by_trust ON legal_hold (trust_id, hold_id);

-- Whose records a hold keeps, where it is one person's.
CREATE TABLE held_person (
    hold_id  BLOB PRIMARY KEY,
    trust_id BLOB NOT NULL,
    person   BLOB NOT NULL
) STRICT;

-- How long a trust keeps a kind of data, where it said so. Made by events.
CREATE TABLE retention (
    trust_id BLOB NOT NULL,
    what     TEXT NOT NULL,
    months   INTEGER,
    version  INTEGER NOT NULL,
    PRIMARY KEY (trust_id, what)
) STRICT;

-- Who read rows about individuals. Rows are added, and go once they are old.
CREATE TABLE read_log (
    read_id    BLOB PRIMARY KEY,
    trust_id   BLOB NOT NULL,
    read_at    TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    rpc        TEXT NOT NULL,
    kinds      TEXT NOT NULL,
    row_count  INTEGER NOT NULL,
    request_id BLOB NOT NULL
) STRICT;

CREATE INDEX read_log_by_trust ON read_log (trust_id, read_id);
CREATE INDEX read_log_by_age ON read_log (read_at);

CREATE TRIGGER read_log_no_update BEFORE UPDATE ON read_log
BEGIN SELECT RAISE(ABORT, 'the read log is append-only'); END;

-- What is younger than any retention allows may not go.
CREATE TRIGGER read_log_no_delete BEFORE DELETE ON read_log
WHEN OLD.read_at > strftime('%Y-%m-%dT%H:%M:%S', 'now', '-1 year')
BEGIN SELECT RAISE(ABORT, 'the read log is append-only'); END;

-- With how many keys a trust's ids are hashed, where that is more than one. Made by events.
CREATE TABLE pseudonym (
    trust_id   BLOB PRIMARY KEY,
    generation INTEGER NOT NULL,
    renewed_at TEXT NOT NULL,
    version    INTEGER NOT NULL
) STRICT;
