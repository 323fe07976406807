-- A push and what its records came to, as JSON. Made by its events.
CREATE TABLE batch (
    batch_id    BLOB PRIMARY KEY,
    trust_id    BLOB NOT NULL,
    feed_id     BLOB NOT NULL,
    state       TEXT NOT NULL,
    received_at TEXT NOT NULL,
    document    TEXT NOT NULL
) STRICT;

CREATE INDEX batch_by_trust ON batch (trust_id, batch_id);

-- What became of the records of a batch, some hundreds in a row as JSON: read in order, never searched. Kept for 90 days.
-- They are numbered through the batch from 1: a line may hold many records, and the files of a bundle begin anew.
CREATE TABLE batch_result (
    batch_id      BLOB NOT NULL,
    first_ordinal INTEGER NOT NULL,
    trust_id      BLOB NOT NULL,
    results       TEXT NOT NULL,
    PRIMARY KEY (batch_id, first_ordinal)
) STRICT;

-- Records that wait for their pupils, or did: one row each, with every pupil it waits for packed into `waits`. `ordinal`
-- is the number of their result.
CREATE TABLE parked_record (
    batch_id    BLOB NOT NULL,
    ordinal     INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    trust_id    BLOB NOT NULL,
    feed_id     BLOB NOT NULL,
    external_id TEXT NOT NULL,
    kind        TEXT NOT NULL,
    school_id   BLOB,
    date        TEXT NOT NULL,
    session     TEXT,
    waits       BLOB NOT NULL,
    state       TEXT NOT NULL,
    parked_at   TEXT NOT NULL,
    deadline    TEXT NOT NULL,
    settled_at  TEXT,
    PRIMARY KEY (batch_id, ordinal)
) STRICT;

CREATE INDEX parked_by_trust ON parked_record (trust_id, batch_id, ordinal);
CREATE INDEX parked_waiting ON parked_record (school_id) WHERE state = 'waiting';
CREATE INDEX parked_due ON parked_record (deadline) WHERE state = 'waiting';

-- What the parts of a snapshot have named so far: natural keys, 16 bytes each. Gone once the batch is applied.
CREATE TABLE snapshot_seen (
    batch_id BLOB NOT NULL,
    part     INTEGER NOT NULL,
    trust_id BLOB NOT NULL,
    keys     BLOB NOT NULL,
    PRIMARY KEY (batch_id, part)
) STRICT;

-- Pupils whose vendors name them otherwise now. `changed` is the position of the batch that said so.
CREATE TABLE pupil_alias (
    trust_id  BLOB NOT NULL,
    pupil     BLOB NOT NULL,
    new_pupil BLOB NOT NULL,
    changed   INTEGER NOT NULL,
    PRIMARY KEY (trust_id, pupil)
) STRICT;

CREATE INDEX pupil_alias_changed ON pupil_alias (trust_id, changed);

-- Schools that are named by another URN since. Made by events.
CREATE TABLE school_change (
    changed      INTEGER PRIMARY KEY,
    trust_id     BLOB NOT NULL,
    school_id    BLOB NOT NULL,
    previous_urn TEXT NOT NULL,
    urn          TEXT NOT NULL
) STRICT;

CREATE INDEX school_change_by_trust ON school_change (trust_id, changed);

-- Records that are gone, for whoever reads changes. `key` is the record's natural key, `record` what is told of it, as JSON.
CREATE TABLE tombstone (
    trust_id   BLOB NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    school_id  BLOB,
    record     TEXT NOT NULL,
    changed    INTEGER NOT NULL,
    deleted_at TEXT NOT NULL,
    PRIMARY KEY (trust_id, kind, key)
) STRICT;

CREATE INDEX tombstone_changed ON tombstone (trust_id, kind, changed, key);
CREATE INDEX tombstone_age ON tombstone (deleted_at);

-- Up to which position deletions are forgotten: whoever has read no further must begin again.
CREATE TABLE changes_gone (
    trust_id BLOB PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

-- Registers in the order they changed, for whoever reads changes.
CREATE INDEX register_changed ON register (trust_id, changed);
