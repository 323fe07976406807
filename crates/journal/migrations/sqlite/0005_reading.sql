-- What events are about beside their own stream, as `kind/id`.
CREATE TABLE event_subject (
    subject  TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (subject, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_subject_by_position ON event_subject (position);

CREATE INDEX event_by_type ON event (type, trust_id, position);
CREATE INDEX event_by_effect ON event (effective_on, position) WHERE effective_on IS NOT NULL;

-- Each form a type of event has had, as a FileDescriptorSet: the log describes itself.
CREATE TABLE event_type (
    type           TEXT NOT NULL,
    sha256         BLOB NOT NULL,
    descriptors    BLOB NOT NULL,
    first_position INTEGER NOT NULL,
    PRIMARY KEY (type, sha256)
) STRICT;
