-- How files of other systems are read, saved with a feed. `reading` is JSON: read whole, never searched.
CREATE TABLE mapping (
    mapping_id UUID PRIMARY KEY,
    trust_id   UUID NOT NULL,
    feed_id    UUID NOT NULL,
    name       TEXT NOT NULL,
    reading    TEXT NOT NULL,
    version    INTEGER NOT NULL,
    saved_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (feed_id, name)
);
