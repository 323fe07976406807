-- The one way to add events: under the log's lock, to the end that the caller knew, with their texts and subjects, by
-- one call however many they are. False, and nothing done, when the log has moved on.
--
-- It runs with its owner's rights: the service itself may not insert. Names are qualified, so that no search path can
-- lead it astray.
DO $do$ BEGIN EXECUTE format($sql$
CREATE FUNCTION %1$I.append_events(
    before BIGINT, positions BIGINT[], trust_ids UUID[], trust_positions BIGINT[], event_ids UUID[], streams TEXT[],
    versions INTEGER[], types TEXT[], data BYTEA[], effective_on DATE[], recorded_at TIMESTAMPTZ[], corrects UUID[],
    actors TEXT[], correlation_ids UUID[], causation_ids UUID[], content_hashes BYTEA[],
    text_ids UUID[], text_trust_ids UUID[], salts BYTEA[], bodies TEXT[],
    subjects TEXT[], subject_positions BIGINT[]
) RETURNS BOOLEAN LANGUAGE plpgsql SECURITY DEFINER AS
$body$ BEGIN
    PERFORM pg_advisory_xact_lock(7310, hashtext(%1$L));
    PERFORM set_config('headway.tenant', 'platform', true), set_config('headway.append', 'on', true);
    -- Positions are dense: the end is where this one is and the next is not. By key, for a plan made while the log was
    -- short serves it when it is long.
    IF (SELECT count(*) FROM %1$I.event WHERE position IN (before, before + 1)) <> least(before, 1) THEN
        RETURN false;
    END IF;
    INSERT INTO %1$I.event SELECT * FROM unnest(
        positions, trust_ids, trust_positions, event_ids, streams, versions, types, data, effective_on, recorded_at,
        corrects, actors, correlation_ids, causation_ids, content_hashes);
    IF cardinality(text_ids) > 0 THEN
        INSERT INTO %1$I.text SELECT * FROM unnest(text_ids, text_trust_ids, salts, bodies);
    END IF;
    IF cardinality(subjects) > 0 THEN
        INSERT INTO %1$I.event_subject SELECT * FROM unnest(subjects, subject_positions);
    END IF;
    PERFORM set_config('headway.append', '', true);
    RETURN true;
END $body$
$sql$, current_schema()); END $do$;

REVOKE ALL ON FUNCTION append_events FROM PUBLIC;

-- In the place of a trigger that counted rows: nobody inserts but by the function above.
DROP TRIGGER event_dense ON event;
DROP FUNCTION event_is_dense;

CREATE TRIGGER event_no_other_way BEFORE INSERT ON event
FOR EACH STATEMENT WHEN (current_setting('headway.append', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION event_is_append_only();

ALTER TABLE event ENABLE ALWAYS TRIGGER event_no_other_way;
