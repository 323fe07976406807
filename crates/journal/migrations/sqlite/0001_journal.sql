CREATE TABLE event (
    position       INTEGER PRIMARY KEY,
    trust_id       BLOB NOT NULL,
    trust_position INTEGER NOT NULL,
    event_id       BLOB NOT NULL,
    stream         TEXT NOT NULL,
    version        INTEGER NOT NULL,
    type           TEXT NOT NULL,
    data           BLOB NOT NULL,
    effective_on   TEXT,
    recorded_at    TEXT NOT NULL,
    corrects       BLOB,
    actor          TEXT NOT NULL,
    correlation_id BLOB NOT NULL,
    causation_id   BLOB,
    content_hash   BLOB NOT NULL,
    UNIQUE (stream, version),
    UNIQUE (trust_id, event_id),
    UNIQUE (trust_id, trust_position)
) STRICT;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;

-- REPLACE would delete without firing the trigger above: only the next position may be inserted.
CREATE TRIGGER event_dense BEFORE INSERT ON event
WHEN NEW.position <> (SELECT coalesce(max(position), 0) + 1 FROM event)
BEGIN SELECT RAISE(ABORT, 'event is append-only: positions are dense'); END;

-- Free text that events only commit to. Erasing a text removes its row; the event stays.
CREATE TABLE text (
    text_id  BLOB PRIMARY KEY,
    trust_id BLOB NOT NULL,
    salt     BLOB NOT NULL,
    body     TEXT NOT NULL
) STRICT;

-- What was answered under an idempotency key.
CREATE TABLE answer (
    client_id   TEXT NOT NULL,
    key         TEXT NOT NULL,
    request     BLOB NOT NULL,
    answer      TEXT NOT NULL,
    answered_at TEXT NOT NULL,
    PRIMARY KEY (client_id, key)
) STRICT;

CREATE INDEX answer_by_age ON answer (answered_at);

-- How far this service has read another's journal.
CREATE TABLE consumer (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;
