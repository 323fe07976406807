-- Webhooks, derived from the journal. `event_types` is a JSON array, empty for every type. A secret is known by its
-- number alone: what it is, is derived from a key that no database holds.
CREATE TABLE webhook (
    webhook_id      BLOB PRIMARY KEY,
    trust_id        BLOB NOT NULL,
    url             TEXT NOT NULL,
    description     TEXT NOT NULL,
    event_types     TEXT NOT NULL,
    state           TEXT NOT NULL,
    disabled_reason TEXT,
    disabled_at     TEXT,
    client_id       TEXT NOT NULL,
    generation      INTEGER NOT NULL,
    previous_until  TEXT,
    created_at      TEXT NOT NULL,
    version         INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_by_trust ON webhook (trust_id, webhook_id);

-- What follows is no part of the journal: how far each webhook has been told of each journal, as its trust counts.
CREATE TABLE webhook_cursor (
    webhook_id BLOB NOT NULL,
    service    TEXT NOT NULL,
    trust_id   BLOB NOT NULL,
    position   INTEGER NOT NULL,
    PRIMARY KEY (webhook_id, service)
) STRICT;

-- How its target fares. `failures` counts attempts since the last success.
CREATE TABLE webhook_health (
    webhook_id      BLOB PRIMARY KEY,
    trust_id        BLOB NOT NULL,
    failures        INTEGER NOT NULL,
    failing_since   TEXT,
    last_success_at TEXT,
    not_before      TEXT
) STRICT;

-- Messages sent or to be sent; a ping has no service and no position.
CREATE TABLE webhook_delivery (
    delivery_id     BLOB PRIMARY KEY,
    webhook_id      BLOB NOT NULL,
    trust_id        BLOB NOT NULL,
    service         TEXT,
    position        INTEGER,
    message_id      BLOB NOT NULL,
    type            TEXT NOT NULL,
    state           TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    next_attempt_at TEXT,
    ended_at        TEXT
) STRICT;

CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook_id, delivery_id);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_over ON webhook_delivery (ended_at) WHERE state <> 'pending';

CREATE TABLE webhook_attempt (
    delivery_id  BLOB NOT NULL,
    number       INTEGER NOT NULL,
    trust_id     BLOB NOT NULL,
    attempted_at TEXT NOT NULL,
    status       INTEGER,
    duration_ms  INTEGER NOT NULL,
    failure      TEXT NOT NULL,
    PRIMARY KEY (delivery_id, number)
) STRICT;
