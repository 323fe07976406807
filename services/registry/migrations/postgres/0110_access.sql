-- Clients, what trusts grant them, and where people sign in. Derived from the journal. `position` is that of the event
-- that changed a row last, by which services ask for what is new. `scopes`, `secrets`, `keys`, `school_ids`, `kinds` and
-- `mappings` are JSON; of a secret there is only the hash.
CREATE TABLE client (
    client_id  TEXT COLLATE "C" PRIMARY KEY,
    trust_id   UUID,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    secrets    TEXT NOT NULL,
    keys       TEXT NOT NULL,
    valid_from TIMESTAMPTZ NOT NULL,
    position   BIGINT NOT NULL,
    version    INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX client_by_position ON client (position);

-- Named so because GRANT is a word of SQL.
CREATE TABLE access_grant (
    grant_id     UUID PRIMARY KEY,
    trust_id     UUID NOT NULL,
    client_id    TEXT COLLATE "C" NOT NULL,
    scopes       TEXT NOT NULL,
    school_ids   TEXT NOT NULL,
    kinds        TEXT NOT NULL,
    named        BOOLEAN NOT NULL,
    purpose      TEXT NOT NULL,
    ends_on      DATE,
    given_at     TIMESTAMPTZ NOT NULL,
    given_by     TEXT NOT NULL,
    withdrawn_at TIMESTAMPTZ,
    withdrawn_by TEXT,
    position     BIGINT NOT NULL,
    version      INTEGER NOT NULL
);

CREATE INDEX access_grant_by_trust ON access_grant (trust_id, grant_id);
CREATE INDEX access_grant_by_client ON access_grant (client_id, trust_id);
CREATE INDEX access_grant_by_position ON access_grant (position);

CREATE TABLE identity_provider (
    trust_id     UUID PRIMARY KEY,
    issuer       TEXT NOT NULL,
    audience     TEXT NOT NULL,
    groups_claim TEXT NOT NULL,
    mappings     TEXT NOT NULL,
    enabled      BOOLEAN NOT NULL,
    position     BIGINT NOT NULL,
    version      INTEGER NOT NULL,
    changed_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (issuer, audience)
);

CREATE INDEX identity_provider_by_position ON identity_provider (position);

CREATE TABLE revoked_token (
    jti        TEXT PRIMARY KEY,
    client_id  TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    position   BIGINT NOT NULL
);

CREATE INDEX revoked_token_by_position ON revoked_token (position);

-- Assertions that were taken once, until they expire; not derived from the journal.
CREATE TABLE assertion (
    client_id  TEXT NOT NULL,
    jti        TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (client_id, jti)
);

CREATE INDEX assertion_by_expiry ON assertion (expires_at);
