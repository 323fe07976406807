-- Complete subtrees of the Merkle tree over the events, at levels 8, 16 and so on. Leaves are computed from events.
CREATE TABLE journal_node (
    level   INTEGER NOT NULL,
    "index" INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    PRIMARY KEY (level, "index")
) STRICT, WITHOUT ROWID;

-- What was signed. `marks` holds the first four bytes of each leaf since the checkpoint before: they prove nothing, but
-- tell which event it was when a root no longer fits.
CREATE TABLE checkpoint (
    size      INTEGER PRIMARY KEY,
    root      BLOB NOT NULL,
    note      TEXT NOT NULL,
    marks     BLOB NOT NULL,
    signed_at TEXT NOT NULL
) STRICT;

CREATE TRIGGER journal_node_no_update BEFORE UPDATE ON journal_node
BEGIN SELECT RAISE(ABORT, 'journal_node is append-only'); END;

CREATE TRIGGER journal_node_no_delete BEFORE DELETE ON journal_node
BEGIN SELECT RAISE(ABORT, 'journal_node is append-only'); END;

-- REPLACE would delete without firing the trigger above.
CREATE TRIGGER journal_node_no_replace BEFORE INSERT ON journal_node
WHEN EXISTS (SELECT 1 FROM journal_node WHERE level = NEW.level AND "index" = NEW."index")
BEGIN SELECT RAISE(ABORT, 'journal_node is append-only'); END;

CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;

CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;

CREATE TRIGGER checkpoint_grows BEFORE INSERT ON checkpoint
WHEN NEW.size <= (SELECT coalesce(max(size), 0) FROM checkpoint)
BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only: sizes grow'); END;
