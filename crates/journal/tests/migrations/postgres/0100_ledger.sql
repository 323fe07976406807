CREATE TABLE ledger (
    event_id UUID PRIMARY KEY,
    stream   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    type     TEXT NOT NULL
);

CREATE UNIQUE INDEX ledger_by_stream ON ledger (stream, version);
