CREATE TABLE feed (
    feed_id    BLOB PRIMARY KEY,
    trust_id   BLOB NOT NULL,
    name       TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    kinds      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX feed_by_trust ON feed (trust_id, feed_id);

CREATE TABLE feed_school (
    feed_id   BLOB NOT NULL,
    school_id BLOB NOT NULL,
    PRIMARY KEY (feed_id, school_id)
) STRICT;

CREATE TABLE signal (
    signal_id   BLOB PRIMARY KEY,
    trust_id    BLOB NOT NULL,
    school_id   BLOB NOT NULL,
    urn         TEXT NOT NULL,
    measure     TEXT NOT NULL,
    rule        TEXT NOT NULL,
    direction   TEXT NOT NULL,
    week        TEXT NOT NULL,
    value       REAL NOT NULL,
    centre      REAL NOT NULL,
    lower_limit REAL NOT NULL,
    upper_limit REAL NOT NULL,
    state       TEXT NOT NULL,
    owner_role  TEXT NOT NULL,
    respond_by  TEXT NOT NULL,
    project_id  BLOB,
    rationale   TEXT,
    version     INTEGER NOT NULL,
    raised_at   TEXT NOT NULL
) STRICT;

CREATE INDEX signal_by_trust ON signal (trust_id, signal_id);
CREATE INDEX signal_by_school ON signal (school_id, measure);
