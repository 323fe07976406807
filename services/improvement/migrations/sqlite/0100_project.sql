-- Projected from the journal. The document is the whole project as JSON, read and written as one.
CREATE TABLE project (
    project_id BLOB NOT NULL PRIMARY KEY,
    trust_id   BLOB NOT NULL,
    school_id  BLOB NOT NULL,
    state      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    document   TEXT NOT NULL CHECK (json_valid(document))
) STRICT;

CREATE INDEX project_of_trust ON project (trust_id, project_id);

CREATE TABLE project_transition (
    transition_id BLOB NOT NULL PRIMARY KEY,
    project_id    BLOB NOT NULL REFERENCES project,
    from_state    TEXT,
    to_state      TEXT NOT NULL,
    rationale     TEXT,
    recorded_at   TEXT NOT NULL,
    actor         TEXT NOT NULL,
    version       INTEGER NOT NULL,
    UNIQUE (project_id, version)
) STRICT;
