-- A client may work for several trusts: a key it used for one is free for another, and an answer is its trust's. The nil
-- id stands for the platform's own.
ALTER TABLE answer ADD COLUMN trust_id UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE answer DROP CONSTRAINT answer_pkey, ADD PRIMARY KEY (client_id, trust_id, key);
