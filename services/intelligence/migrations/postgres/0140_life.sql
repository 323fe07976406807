-- A push and what its records came to, as JSON. Made by its events.
CREATE TABLE batch (
    batch_id    UUID PRIMARY KEY,
    trust_id    UUID NOT NULL,
    feed_id     UUID NOT NULL,
    state       TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    document    TEXT NOT NULL
);

CREATE INDEX batch_by_trust ON batch (trust_id, batch_id);

-- What became of the records of a batch, some hundreds in a row as JSON: read in order, never searched. Kept for 90 days.
-- They are numbered through the batch from 1: a line may hold many records, and the files of a bundle begin anew.
CREATE TABLE batch_result (
    batch_id      UUID NOT NULL,
    first_ordinal INTEGER NOT NULL,
    trust_id      UUID NOT NULL,
    results       TEXT NOT NULL,
    PRIMARY KEY (batch_id, first_ordinal)
);

-- Records that wait for their pupils, or did: one row each, with every pupil it waits for packed into `waits`. `ordinal`
-- is the number of their result.
CREATE TABLE parked_record (
    batch_id    UUID NOT NULL,
    ordinal     INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    trust_id    UUID NOT NULL,
    feed_id     UUID NOT NULL,
    external_id TEXT NOT NULL,
    kind        TEXT NOT NULL,
    school_id   UUID,
    date        DATE NOT NULL,
    session     TEXT,
    waits       BYTEA NOT NULL,
    state       TEXT NOT NULL,
    parked_at   TIMESTAMPTZ NOT NULL,
    deadline    TIMESTAMPTZ NOT NULL,
    settled_at  TIMESTAMPTZ,
    PRIMARY KEY (batch_id, ordinal)
);

CREATE INDEX parked_by_trust ON parked_record (trust_id, batch_id, ordinal);
CREATE INDEX parked_waiting ON parked_record (school_id) WHERE state = 'waiting';
CREATE INDEX parked_due ON parked_record (deadline) WHERE state = 'waiting';

-- What the parts of a snapshot have named so far: natural keys, 16 bytes each. Gone once the batch is applied.
CREATE TABLE snapshot_seen (
    batch_id UUID NOT NULL,
    part     INTEGER NOT NULL,
    trust_id UUID NOT NULL,
    keys     BYTEA NOT NULL,
    PRIMARY KEY (batch_id, part)
);

-- Pupils whose vendors name them otherwise now. `changed` is the position of the batch that said so.
CREATE TABLE pupil_alias (
    trust_id  UUID NOT NULL,
    pupil     BYTEA NOT NULL,
    new_pupil BYTEA NOT NULL,
    changed   BIGINT NOT NULL,
    PRIMARY KEY (trust_id, pupil)
);

CREATE INDEX pupil_alias_changed ON pupil_alias (trust_id, changed);

-- Schools that are named by another URN since. Made by events.
CREATE TABLE school_change (
    changed      BIGINT PRIMARY KEY,
    trust_id     UUID NOT NULL,
    school_id    UUID NOT NULL,
    previous_urn TEXT NOT NULL,
    urn          TEXT NOT NULL
);

CREATE INDEX school_change_by_trust ON school_change (trust_id, changed);

-- Records that are gone, for whoever reads changes. `key` is the record's natural key, `record` what is told of it, as JSON.
CREATE TABLE tombstone (
    trust_id   UUID NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    school_id  UUID,
    record     TEXT NOT NULL,
    changed    BIGINT NOT NULL,
    deleted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (trust_id, kind, key)
);

CREATE INDEX tombstone_changed ON tombstone (trust_id, kind, changed, key);
CREATE INDEX tombstone_age ON tombstone (deleted_at);

-- Up to which position deletions are forgotten: whoever has read no further must begin again.
CREATE TABLE changes_gone (
    trust_id UUID PRIMARY KEY,
    position BIGINT NOT NULL
);

-- Registers in the order they changed, for whoever reads changes.
CREATE INDEX register_changed ON register (trust_id, changed);
