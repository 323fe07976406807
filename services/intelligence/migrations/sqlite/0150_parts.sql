-- Batches that are received and not yet settled: how far each has come. A row moves in the transaction of the effect.
CREATE TABLE batch_work (
    batch_id    BLOB PRIMARY KEY,
    trust_id    BLOB NOT NULL,
    feed_id     BLOB NOT NULL,
    client_id   TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    -- Batches of a trust are applied in this order: that in which they were received.
    place       INTEGER NOT NULL,
    dry_run     INTEGER NOT NULL,
    -- What the caller said beside the records: a PushRecordsRequest.
    header      BLOB NOT NULL,
    parts       INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    -- What the records of those done came to, as JSON.
    totals      TEXT NOT NULL,
    received_at TEXT NOT NULL
) STRICT;

CREATE INDEX batch_work_next ON batch_work (partition, trust_id, place);
CREATE INDEX batch_work_by_trust ON batch_work (trust_id);

-- Bodies too large for one transaction, in parts of whole records, sealed under a key of the trust's. A batch without
-- work is an upload that is still under way, or broke off.
CREATE TABLE batch_part (
    batch_id   BLOB NOT NULL,
    part       INTEGER NOT NULL,
    trust_id   BLOB NOT NULL,
    format     TEXT NOT NULL,
    first_line INTEGER NOT NULL,
    records    INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    stored_at  TEXT NOT NULL,
    PRIMARY KEY (batch_id, part)
) STRICT;

CREATE INDEX batch_part_by_age ON batch_part (stored_at);
