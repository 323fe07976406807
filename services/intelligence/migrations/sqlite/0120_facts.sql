-- Every record but pupils, enrolments and registers: the latest under its natural key. `key` is that key without school
-- and kind, with the person's hash in front where the person is part of it. `body` is JSON; the views below unpack it.
-- A pupil's fact of a day the pupil is not on roll waits; `year_group` and `flags` are what it counts under.
CREATE TABLE fact (
    school_id  BLOB NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    trust_id   BLOB NOT NULL,
    person     BLOB,
    day        TEXT NOT NULL,
    year_group INTEGER,
    flags      INTEGER,
    waiting    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    changed    INTEGER NOT NULL,
    PRIMARY KEY (school_id, kind, key)
) STRICT;

CREATE INDEX fact_by_person ON fact (person, school_id) WHERE person IS NOT NULL;
CREATE INDEX fact_by_change ON fact (trust_id, kind, changed);

-- What facts count as: sums that any period adds up. `year_group` is -100 and `flags` 0 for what is not of a pupil.
CREATE TABLE cell (
    trust_id   BLOB NOT NULL,
    quantity   TEXT NOT NULL,
    day        TEXT NOT NULL,
    school_id  BLOB NOT NULL,
    subject    TEXT NOT NULL,
    point      TEXT NOT NULL,
    year_group INTEGER NOT NULL,
    flags      INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (trust_id, quantity, day, school_id, subject, point, year_group, flags)
) STRICT;

CREATE INDEX cell_of_nothing ON cell (trust_id) WHERE total = 0 AND number = 0;

-- A view for each kind.
CREATE VIEW assessment_result AS
SELECT trust_id, school_id, person, day, year_group, flags, waiting,
       body ->> '$.assessment_result.scale' AS scale,
       body ->> '$.assessment_result.subject' AS subject,
       body ->> '$.assessment_result.point' AS point,
       body ->> '$.assessment_result.taken_on' AS taken_on,
       body ->> '$.assessment_result.graded.result' AS result,
       body ->> '$.assessment_result.graded.absent' AS absent
FROM fact WHERE kind = 'assessment_result';

CREATE VIEW suspension AS
SELECT trust_id, school_id, person, day, year_group, flags, waiting,
       body ->> '$.suspension.category' AS category,
       body ->> '$.suspension.starts_on' AS starts_on,
       body ->> '$.suspension.session' AS session,
       body ->> '$.suspension.sessions' AS sessions,
       body ->> '$.suspension.reasons' AS reasons
FROM fact WHERE kind = 'suspension';

CREATE VIEW behaviour_incident AS
SELECT trust_id, school_id, person, day, year_group, flags, waiting,
       body ->> '$.behaviour_incident.incident' AS incident,
       body ->> '$.behaviour_incident.category' AS category,
       body ->> '$.behaviour_incident.points' AS points
FROM fact WHERE kind = 'behaviour_incident';

CREATE VIEW staff_member AS
SELECT trust_id, school_id, person, day,
       body ->> '$.staff_member.role' AS role,
       body ->> '$.staff_member.fte' AS fte_hundredths,
       body ->> '$.staff_member.starts_on' AS starts_on,
       body ->> '$.staff_member.ends_on' AS ends_on
FROM fact WHERE kind = 'staff_member';

CREATE VIEW staff_absence AS
SELECT trust_id, school_id, person, day,
       body ->> '$.staff_absence.starts_on' AS starts_on,
       body ->> '$.staff_absence.ends_on' AS ends_on,
       body ->> '$.staff_absence.working_days' AS working_days_hundredths,
       body ->> '$.staff_absence.reason' AS reason
FROM fact WHERE kind = 'staff_absence';

CREATE VIEW cover AS
SELECT trust_id, school_id, day,
       body ->> '$.cover.covered_by' AS covered_by,
       body ->> '$.cover.lessons' AS lessons
FROM fact WHERE kind = 'cover';

CREATE VIEW budget_line AS
SELECT trust_id, school_id, day,
       body ->> '$.budget_line.code' AS code,
       body ->> '$.budget_line.kind' AS line_kind,
       body ->> '$.budget_line.starts_on' AS starts_on,
       body ->> '$.budget_line.ends_on' AS ends_on,
       body ->> '$.budget_line.amount' AS amount_pence
FROM fact WHERE kind = 'budget_line';

CREATE VIEW observation AS
SELECT trust_id, school_id, day,
       body ->> '$.observation.measure' AS measure,
       body ->> '$.observation.year_group' AS of_year_group,
       body ->> '$.observation.group' AS of_group,
       body ->> '$.observation.subject' AS subject,
       body ->> '$.observation.starts_on' AS starts_on,
       body ->> '$.observation.ends_on' AS ends_on,
       body ->> '$.observation.source' AS source,
       body ->> '$.observation.source_code' AS source_code,
       body ->> '$.observation.revision' AS revision,
       body ->> '$.observation.stated' AS stated
FROM fact WHERE kind = 'observation';
