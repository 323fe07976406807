-- A client may work for several trusts: a key it used for one is free for another, and an answer is its trust's. The nil
-- id stands for the platform's own.
ALTER TABLE answer ADD COLUMN trust_id UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE answer DROP CONSTRAINT answer_pkey, ADD PRIMARY KEY (client_id, trust_id, key);

-- A condition that PostgreSQL takes for true of half the rows: it took the one before for true of hardly any, and then
-- sorted a trust's whole log to show the first page of it.
ALTER POLICY event_seen ON event USING (
    (SELECT current_setting('headway.tenant', true) = 'platform')
    OR trust_id = (SELECT nullif(nullif(current_setting('headway.tenant', true), ''), 'platform')::uuid)
);
ALTER POLICY text_of_tenant ON text USING (
    (SELECT current_setting('headway.tenant', true) = 'platform')
    OR trust_id = (SELECT nullif(nullif(current_setting('headway.tenant', true), ''), 'platform')::uuid)
);
