-- What events are about beside their own stream, as `kind/id`.
CREATE TABLE event_subject (
    subject  TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (subject, position)
);

CREATE INDEX event_subject_by_position ON event_subject (position);

CREATE INDEX event_by_type ON event (type, trust_id, position);
CREATE INDEX event_by_effect ON event (effective_on, position) WHERE effective_on IS NOT NULL;

-- Each form a type of event has had, as a FileDescriptorSet: the log describes itself.
CREATE TABLE event_type (
    type           TEXT NOT NULL,
    sha256         BYTEA NOT NULL,
    descriptors    BYTEA NOT NULL,
    first_position BIGINT NOT NULL,
    PRIMARY KEY (type, sha256)
);
