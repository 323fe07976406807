-- What pupils count as of whom nothing else is kept, by school and period (day, week, term, academic_year): a packed
-- tally whose numbers mean nothing beyond it. domain/remainder.rs.
CREATE TABLE remainder (
    school_id UUID NOT NULL,
    kind      TEXT NOT NULL,
    starts_on DATE NOT NULL,
    trust_id  UUID NOT NULL,
    cells     BYTEA NOT NULL,
    PRIMARY KEY (school_id, kind, starts_on)
);

-- How many more of them were on roll from a day on, or fewer.
CREATE TABLE former_roll (
    school_id  UUID NOT NULL,
    day        DATE NOT NULL,
    year_group INTEGER NOT NULL,
    flags      INTEGER NOT NULL,
    trust_id   UUID NOT NULL,
    number     BIGINT NOT NULL,
    PRIMARY KEY (school_id, day, year_group, flags)
);

-- Erasures, made by events. The text says under whose authority: it is kept beside the journal.
CREATE TABLE erasure (
    erasure_id   UUID PRIMARY KEY,
    trust_id     UUID NOT NULL,
    subject      TEXT NOT NULL,
    erased       TEXT NOT NULL,
    authority    UUID,
    erased_at    TIMESTAMPTZ NOT NULL,
    erased_by    TEXT NOT NULL,
    position     BIGINT NOT NULL,
    scrubbed_at  TIMESTAMPTZ,
    scrubbed_how TEXT,
    lifted_at    TIMESTAMPTZ,
    version      INTEGER NOT NULL
);

CREATE INDEX erasure_by_trust ON erasure (trust_id, erasure_id);
CREATE INDEX erasure_unscrubbed ON erasure (erasure_id) WHERE scrubbed_at IS NULL;

-- By what erased people are known again, so that they stay erased: their hash under a key of its own. `mark` is a part of
-- the hash too small to tell anybody by, with which most others are passed over.
CREATE TABLE erased_person (
    trust_id   UUID NOT NULL,
    seal       BYTEA NOT NULL,
    mark       INTEGER NOT NULL,
    erasure_id UUID NOT NULL,
    PRIMARY KEY (trust_id, seal)
);

-- Legal holds, made by events.
CREATE TABLE legal_hold (
    hold_id       UUID PRIMARY KEY,
    trust_id      UUID NOT NULL,
    kinds         TEXT NOT NULL,
    of_person     BOOLEAN NOT NULL,
    reason        UUID,
    given_at      TIMESTAMPTZ NOT NULL,
    given_by      TEXT NOT NULL,
    lifted_at     TIMESTAMPTZ,
    lifted_by     TEXT,
    lifted_reason UUID,
    version       INTEGER NOT NULL
);

CREATE INDEX legal_hold_by_trust ON legal_hold (trust_id, hold_id);

-- Whose records a hold keeps, where it is one person's.
CREATE TABLE held_person (
    hold_id  UUID PRIMARY KEY,
    trust_id UUID NOT NULL,
    person   BYTEA NOT NULL
);

-- How long a trust keeps a kind of data, where it said so. Made by events.
CREATE TABLE retention (
    trust_id UUID NOT NULL,
    what     TEXT NOT NULL,
    months   INTEGER,
    version  INTEGER NOT NULL,
    PRIMARY KEY (trust_id, what)
);

-- Who read rows about individuals. Rows are added, and go once they are old.
CREATE TABLE read_log (
    read_id    UUID PRIMARY KEY,
    trust_id   UUID NOT NULL,
    read_at    TIMESTAMPTZ NOT NULL,
    client_id  TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    rpc        TEXT NOT NULL,
    kinds      TEXT NOT NULL,
    row_count  BIGINT NOT NULL,
    request_id UUID NOT NULL
);

CREATE INDEX read_log_by_trust ON read_log (trust_id, read_id);
CREATE INDEX read_log_by_age ON read_log (read_at);

CREATE FUNCTION read_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    -- What is younger than any retention allows may not go.
    IF TG_OP = 'DELETE' AND OLD.read_at <= now() - INTERVAL '1 year' THEN RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the read log is append-only';
END $$;

CREATE TRIGGER read_log_no_change BEFORE UPDATE OR DELETE ON read_log
FOR EACH ROW EXECUTE FUNCTION read_log_is_append_only();

ALTER TABLE read_log ENABLE ALWAYS TRIGGER read_log_no_change;

CREATE TRIGGER read_log_no_truncate BEFORE TRUNCATE ON read_log
FOR EACH STATEMENT EXECUTE FUNCTION read_log_is_append_only();

-- With how many keys a trust's ids are hashed, where that is more than one. Made by events.
CREATE TABLE pseudonym (
    trust_id   UUID PRIMARY KEY,
    generation INTEGER NOT NULL,
    renewed_at TIMESTAMPTZ NOT NULL,
    version    INTEGER NOT NULL
);
