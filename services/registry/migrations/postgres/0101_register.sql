-- The national register as GIAS publishes it: reference data, not journaled row by row.
CREATE TABLE establishment (
    urn             TEXT COLLATE "C" PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    -- The name in lower case, to be searched.
    search_name     TEXT NOT NULL,
    status          TEXT NOT NULL,
    phase           TEXT NOT NULL,
    type            TEXT NOT NULL,
    la_code         TEXT,
    la_name         TEXT,
    laestab         TEXT,
    ukprn           TEXT,
    -- Whether a file with group UIDs has said which trust it belongs to, or that it belongs to none.
    trust_stated    BOOLEAN NOT NULL,
    trust_group_uid TEXT,
    trust_name      TEXT,
    opened_on       DATE,
    closed_on       DATE,
    lowest_age      INTEGER,
    highest_age     INTEGER,
    capacity        INTEGER,
    pupils          INTEGER,
    easting         INTEGER,
    northing        INTEGER,
    postcode        TEXT,
    region          TEXT
);

CREATE INDEX establishment_by_name ON establishment (name, urn);
CREATE INDEX establishment_by_la ON establishment (la_code);
CREATE INDEX establishment_by_laestab ON establishment (laestab);
CREATE INDEX establishment_by_ukprn ON establishment (ukprn);
CREATE INDEX establishment_by_group ON establishment (trust_group_uid);

-- `link_urn` followed or preceded `urn`, as `type` says.
CREATE TABLE establishment_link (
    urn            TEXT COLLATE "C" NOT NULL,
    link_urn       TEXT COLLATE "C" NOT NULL,
    type           TEXT NOT NULL,
    name           TEXT,
    established_on DATE,
    PRIMARY KEY (urn, link_urn, type)
);

CREATE INDEX establishment_link_back ON establishment_link (link_urn);

CREATE TABLE establishment_group (
    group_uid              TEXT PRIMARY KEY,
    group_id               TEXT,
    name                   TEXT NOT NULL,
    type                   TEXT NOT NULL,
    status                 TEXT NOT NULL,
    companies_house_number TEXT,
    ukprn                  TEXT,
    opened_on              DATE,
    closed_on              DATE
);

-- Which academy trust an establishment is in: at most one.
CREATE TABLE membership (
    urn        TEXT PRIMARY KEY,
    group_uid  TEXT NOT NULL,
    group_name TEXT NOT NULL,
    joined_on  DATE,
    -- The trust itself has closed: it holds no schools.
    closed     BOOLEAN NOT NULL
);

CREATE INDEX membership_by_group ON membership (group_uid);

-- Reports of imports, as JSON.
CREATE TABLE import_report (
    import_id UUID PRIMARY KEY,
    report    TEXT NOT NULL
);
