-- How files of other systems are read, saved with a feed. `reading` is JSON: read whole, never searched.
CREATE TABLE mapping (
    mapping_id BLOB PRIMARY KEY,
    trust_id   BLOB NOT NULL,
    feed_id    BLOB NOT NULL,
    name       TEXT NOT NULL,
    reading    TEXT NOT NULL,
    version    INTEGER NOT NULL,
    saved_at   TEXT NOT NULL,
    UNIQUE (feed_id, name)
) STRICT;
