CREATE TABLE event (
    position       BIGINT PRIMARY KEY,
    trust_id       UUID NOT NULL,
    trust_position BIGINT NOT NULL,
    event_id       UUID NOT NULL,
    stream         TEXT NOT NULL,
    version        INTEGER NOT NULL,
    type           TEXT NOT NULL,
    data           BYTEA NOT NULL,
    effective_on   DATE,
    recorded_at    TIMESTAMPTZ NOT NULL,
    corrects       UUID,
    actor          TEXT NOT NULL,
    correlation_id UUID NOT NULL,
    causation_id   UUID,
    content_hash   BYTEA NOT NULL,
    UNIQUE (stream, version),
    UNIQUE (trust_id, event_id),
    UNIQUE (trust_id, trust_position)
);

CREATE FUNCTION event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'event is append-only'; END $$;

CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event
FOR EACH STATEMENT EXECUTE FUNCTION event_is_append_only();

-- Also where triggers are otherwise skipped: session_replication_role = replica.
ALTER TABLE event ENABLE ALWAYS TRIGGER event_no_change;

-- Free text that events only commit to. Erasing a text removes its row; the event stays.
CREATE TABLE text (
    text_id  UUID PRIMARY KEY,
    trust_id UUID NOT NULL,
    salt     BYTEA NOT NULL,
    body     TEXT NOT NULL
);

-- What was answered under an idempotency key.
CREATE TABLE answer (
    client_id   TEXT NOT NULL,
    key         TEXT NOT NULL,
    request     BYTEA NOT NULL,
    answer      TEXT NOT NULL,
    answered_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (client_id, key)
);

CREATE INDEX answer_by_age ON answer (answered_at);

-- How far this service has read another's journal.
CREATE TABLE consumer (
    name     TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);
