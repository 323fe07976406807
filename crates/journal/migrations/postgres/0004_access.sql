-- A transaction sees what `headway.tenant` says: every trust's events for the platform, its own for a trust, none when
-- it was not set. Only the platform, which is the service's one writer, adds events. The owner is held to it too.
-- The sub-select makes it one look-up per statement instead of one per row.
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;

CREATE POLICY event_seen ON event FOR SELECT USING (
    (SELECT current_setting('headway.tenant', true)) = 'platform'
    OR trust_id::text = (SELECT current_setting('headway.tenant', true))
);

CREATE POLICY event_added ON event FOR INSERT WITH CHECK (
    (SELECT current_setting('headway.tenant', true)) = 'platform'
);

ALTER TABLE text ENABLE ROW LEVEL SECURITY;
ALTER TABLE text FORCE ROW LEVEL SECURITY;

CREATE POLICY text_of_tenant ON text USING (
    (SELECT current_setting('headway.tenant', true)) = 'platform'
    OR trust_id::text = (SELECT current_setting('headway.tenant', true))
);

-- Positions are dense, whoever inserts: what is added follows on what is there, without a hole.
-- One look at the index per statement: as a part of the query before it, it would be planned as a scan of the log.
CREATE FUNCTION event_is_dense() RETURNS trigger LANGUAGE plpgsql AS
$$ DECLARE first BIGINT; holes BIGINT;
BEGIN
    SELECT min(position), max(position) - min(position) + 1 - count(*) INTO first, holes FROM added;
    IF holes <> 0 OR (first <> 1 AND NOT EXISTS (SELECT FROM event WHERE position = first - 1))
    THEN RAISE EXCEPTION 'event is append-only: positions are dense';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER event_dense AFTER INSERT ON event
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION event_is_dense();

ALTER TABLE event ENABLE ALWAYS TRIGGER event_dense;
