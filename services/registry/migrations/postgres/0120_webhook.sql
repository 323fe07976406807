-- Webhooks, derived from the journal. `event_types` is a JSON array, empty for every type. A secret is known by its
-- number alone: what it is, is derived from a key that no database holds.
CREATE TABLE webhook (
    webhook_id      UUID PRIMARY KEY,
    trust_id        UUID NOT NULL,
    url             TEXT NOT NULL,
    description     TEXT NOT NULL,
    event_types     TEXT NOT NULL,
    state           TEXT NOT NULL,
    disabled_reason TEXT,
    disabled_at     TIMESTAMPTZ,
    client_id       TEXT NOT NULL,
    generation      INTEGER NOT NULL,
    previous_until  TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL,
    version         INTEGER NOT NULL
);

CREATE INDEX webhook_by_trust ON webhook (trust_id, webhook_id);

-- What follows is no part of the journal: how far each webhook has been told of each journal, as its trust counts.
CREATE TABLE webhook_cursor (
    webhook_id UUID NOT NULL,
    service    TEXT NOT NULL,
    trust_id   UUID NOT NULL,
    position   BIGINT NOT NULL,
    PRIMARY KEY (webhook_id, service)
);

-- How its target fares. `failures` counts attempts since the last success.
CREATE TABLE webhook_health (
    webhook_id      UUID PRIMARY KEY,
    trust_id        UUID NOT NULL,
    failures        INTEGER NOT NULL,
    failing_since   TIMESTAMPTZ,
    last_success_at TIMESTAMPTZ,
    not_before      TIMESTAMPTZ
);

-- Messages sent or to be sent; a ping has no service and no position.
CREATE TABLE webhook_delivery (
    delivery_id     UUID PRIMARY KEY,
    webhook_id      UUID NOT NULL,
    trust_id        UUID NOT NULL,
    service         TEXT,
    position        BIGINT,
    message_id      UUID NOT NULL,
    type            TEXT NOT NULL,
    state           TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    next_attempt_at TIMESTAMPTZ,
    ended_at        TIMESTAMPTZ
);

CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook_id, delivery_id);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_over ON webhook_delivery (ended_at) WHERE state <> 'pending';

CREATE TABLE webhook_attempt (
    delivery_id  UUID NOT NULL,
    number       INTEGER NOT NULL,
    trust_id     UUID NOT NULL,
    attempted_at TIMESTAMPTZ NOT NULL,
    status       INTEGER,
    duration_ms  INTEGER NOT NULL,
    failure      TEXT NOT NULL,
    PRIMARY KEY (delivery_id, number)
);
