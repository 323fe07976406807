CREATE TABLE ledger (
    event_id BLOB PRIMARY KEY,
    stream   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    type     TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX ledger_by_stream ON ledger (stream, version);
