-- Projected from the journal. The document is the whole project as JSON, read and written as one.
CREATE TABLE project (
    project_id UUID NOT NULL PRIMARY KEY,
    trust_id   UUID NOT NULL,
    school_id  UUID NOT NULL,
    state      TEXT NOT NULL,
    version    BIGINT NOT NULL,
    document   TEXT NOT NULL
);

CREATE INDEX project_of_trust ON project (trust_id, project_id);

CREATE TABLE project_transition (
    transition_id UUID NOT NULL PRIMARY KEY,
    project_id    UUID NOT NULL REFERENCES project,
    from_state    TEXT,
    to_state      TEXT NOT NULL,
    rationale     TEXT,
    recorded_at   TIMESTAMPTZ NOT NULL,
    actor         TEXT NOT NULL,
    version       BIGINT NOT NULL,
    UNIQUE (project_id, version)
);
