CREATE TABLE feed (
    feed_id    UUID PRIMARY KEY,
    trust_id   UUID NOT NULL,
    name       TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    kinds      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX feed_by_trust ON feed (trust_id, feed_id);

CREATE TABLE feed_school (
    feed_id   UUID NOT NULL,
    school_id UUID NOT NULL,
    PRIMARY KEY (feed_id, school_id)
);

CREATE TABLE signal (
    signal_id   UUID PRIMARY KEY,
    trust_id    UUID NOT NULL,
    school_id   UUID NOT NULL,
    urn         TEXT NOT NULL,
    measure     TEXT NOT NULL,
    rule        TEXT NOT NULL,
    direction   TEXT NOT NULL,
    week        DATE NOT NULL,
    value       DOUBLE PRECISION NOT NULL,
    centre      DOUBLE PRECISION NOT NULL,
    lower_limit DOUBLE PRECISION NOT NULL,
    upper_limit DOUBLE PRECISION NOT NULL,
    state       TEXT NOT NULL,
    owner_role  TEXT NOT NULL,
    respond_by  DATE NOT NULL,
    project_id  UUID,
    rationale   TEXT,
    version     INTEGER NOT NULL,
    raised_at   TIMESTAMPTZ NOT NULL
);

CREATE INDEX signal_by_trust ON signal (trust_id, signal_id);
CREATE INDEX signal_by_school ON signal (school_id, measure);
