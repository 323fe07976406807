-- Complete subtrees of the Merkle tree over the events, at levels 8, 16 and so on. Leaves are computed from events.
CREATE TABLE journal_node (
    level   INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    hash    BYTEA NOT NULL,
    PRIMARY KEY (level, "index")
);

-- What was signed. `marks` holds the first four bytes of each leaf since the checkpoint before: they prove nothing, but
-- tell which event it was when a root no longer fits.
CREATE TABLE checkpoint (
    size      BIGINT PRIMARY KEY,
    root      BYTEA NOT NULL,
    note      TEXT NOT NULL,
    marks     BYTEA NOT NULL,
    signed_at TIMESTAMPTZ NOT NULL
);

CREATE FUNCTION proof_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;

CREATE TRIGGER journal_node_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_node
FOR EACH STATEMENT EXECUTE FUNCTION proof_is_append_only();

CREATE TRIGGER checkpoint_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
FOR EACH STATEMENT EXECUTE FUNCTION proof_is_append_only();

-- Also where triggers are otherwise skipped: session_replication_role = replica.
ALTER TABLE journal_node ENABLE ALWAYS TRIGGER journal_node_no_change;
ALTER TABLE checkpoint ENABLE ALWAYS TRIGGER checkpoint_no_change;
