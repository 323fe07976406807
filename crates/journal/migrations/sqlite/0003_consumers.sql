-- A consumer's work on another service's journal, in fixed partitions by a hash of the stream's name. Whoever holds
-- the lease of a partition moves its position, in the transaction of the effect, and only under the epoch it was given.
CREATE TABLE consumer_partition (
    name           TEXT NOT NULL,
    partition      INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    owner          BLOB,
    -- By this database's clock, in milliseconds since 1970.
    lease_until_ms INTEGER NOT NULL,
    PRIMARY KEY (name, partition)
) STRICT;

-- What was read until now was read by one worker: partition 0. The consumer's first start gives it as many partitions
-- as it needs, at the same position.
INSERT INTO consumer_partition (name, partition, position, epoch, lease_until_ms)
SELECT name, 0, position, 0, 0 FROM consumer;

DROP TABLE consumer;

ALTER TABLE consumer_partition RENAME TO consumer;

-- Who shares the partitions of a consumer just now, those without one included.
CREATE TABLE consumer_worker (
    name           TEXT NOT NULL,
    owner          BLOB NOT NULL,
    lease_until_ms INTEGER NOT NULL,
    PRIMARY KEY (name, owner)
) STRICT;

-- Streams set aside because one event could not be applied: nothing of them is applied from that position on.
CREATE TABLE parked (
    consumer      TEXT NOT NULL,
    stream        TEXT NOT NULL,
    from_position INTEGER NOT NULL,
    event_id      BLOB NOT NULL,
    type          TEXT NOT NULL,
    reason        TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    parked_at     TEXT NOT NULL,
    PRIMARY KEY (consumer, stream)
) STRICT;
