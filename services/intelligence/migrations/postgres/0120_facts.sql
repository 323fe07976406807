-- Every record but pupils, enrolments and registers: the latest under its natural key. `key` is that key without school
-- and kind, with the person's hash in front where the person is part of it. `body` is JSON; the views below unpack it.
-- A pupil's fact of a day the pupil is not on roll waits; `year_group` and `flags` are what it counts under.
CREATE TABLE fact (
    school_id  UUID NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    trust_id   UUID NOT NULL,
    person     BYTEA,
    day        DATE NOT NULL,
    year_group INTEGER,
    flags      INTEGER,
    waiting    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    changed    BIGINT NOT NULL,
    PRIMARY KEY (school_id, kind, key)
);

CREATE INDEX fact_by_person ON fact (person, school_id) WHERE person IS NOT NULL;
CREATE INDEX fact_by_change ON fact (trust_id, kind, changed);

-- What facts count as: sums that any period adds up. `year_group` is -100 and `flags` 0 for what is not of a pupil.
CREATE TABLE cell (
    trust_id   UUID NOT NULL,
    quantity   TEXT NOT NULL,
    day        DATE NOT NULL,
    school_id  UUID NOT NULL,
    subject    TEXT NOT NULL,
    point      TEXT NOT NULL,
    year_group INTEGER NOT NULL,
    flags      INTEGER NOT NULL,
    total      BIGINT NOT NULL,
    number     BIGINT NOT NULL,
    PRIMARY KEY (trust_id, quantity, day, school_id, subject, point, year_group, flags)
);

CREATE INDEX cell_of_nothing ON cell (trust_id) WHERE total = 0 AND number = 0;

-- A view for each kind.
CREATE VIEW assessment_result WITH (security_invoker = true) AS
SELECT trust_id, school_id, person, day, year_group, flags, waiting,
       body::jsonb #>> '{assessment_result,scale}' AS scale,
       body::jsonb #>> '{assessment_result,subject}' AS subject,
       body::jsonb #>> '{assessment_result,point}' AS point,
       (body::jsonb #>> '{assessment_result,taken_on}')::date AS taken_on,
       body::jsonb #>> '{assessment_result,graded,result}' AS result,
       body::jsonb #>> '{assessment_result,graded,absent}' AS absent
FROM fact WHERE kind = 'assessment_result';

CREATE VIEW suspension WITH (security_invoker = true) AS
SELECT trust_id, school_id, person, day, year_group, flags, waiting,
       body::jsonb #>> '{suspension,category}' AS category,
       (body::jsonb #>> '{suspension,starts_on}')::date AS starts_on,
       body::jsonb #>> '{suspension,session}' AS session,
       (body::jsonb #>> '{suspension,sessions}')::integer AS sessions,
       body::jsonb #>> '{suspension,reasons}' AS reasons
FROM fact WHERE kind = 'suspension';

CREATE VIEW behaviour_incident WITH (security_invoker = true) AS
SELECT trust_id, school_id, person, day, year_group, flags, waiting,
       body::jsonb #>> '{behaviour_incident,incident}' AS incident,
       body::jsonb #>> '{behaviour_incident,category}' AS category,
       (body::jsonb #>> '{behaviour_incident,points}')::integer AS points
FROM fact WHERE kind = 'behaviour_incident';

CREATE VIEW staff_member WITH (security_invoker = true) AS
SELECT trust_id, school_id, person, day,
       body::jsonb #>> '{staff_member,role}' AS role,
       (body::jsonb #>> '{staff_member,fte}')::integer AS fte_hundredths,
       (body::jsonb #>> '{staff_member,starts_on}')::date AS starts_on,
       (body::jsonb #>> '{staff_member,ends_on}')::date AS ends_on
FROM fact WHERE kind = 'staff_member';

CREATE VIEW staff_absence WITH (security_invoker = true) AS
SELECT trust_id, school_id, person, day,
       (body::jsonb #>> '{staff_absence,starts_on}')::date AS starts_on,
       (body::jsonb #>> '{staff_absence,ends_on}')::date AS ends_on,
       (body::jsonb #>> '{staff_absence,working_days}')::integer AS working_days_hundredths,
       body::jsonb #>> '{staff_absence,reason}' AS reason
FROM fact WHERE kind = 'staff_absence';

CREATE VIEW cover WITH (security_invoker = true) AS
SELECT trust_id, school_id, day,
       body::jsonb #>> '{cover,covered_by}' AS covered_by,
       (body::jsonb #>> '{cover,lessons}')::integer AS lessons
FROM fact WHERE kind = 'cover';

CREATE VIEW budget_line WITH (security_invoker = true) AS
SELECT trust_id, school_id, day,
       body::jsonb #>> '{budget_line,code}' AS code,
       body::jsonb #>> '{budget_line,kind}' AS line_kind,
       (body::jsonb #>> '{budget_line,starts_on}')::date AS starts_on,
       (body::jsonb #>> '{budget_line,ends_on}')::date AS ends_on,
       (body::jsonb #>> '{budget_line,amount}')::bigint AS amount_pence
FROM fact WHERE kind = 'budget_line';

CREATE VIEW observation WITH (security_invoker = true) AS
SELECT trust_id, school_id, day,
       body::jsonb #>> '{observation,measure}' AS measure,
       (body::jsonb #>> '{observation,year_group}')::integer AS of_year_group,
       body::jsonb #>> '{observation,group}' AS of_group,
       body::jsonb #>> '{observation,subject}' AS subject,
       (body::jsonb #>> '{observation,starts_on}')::date AS starts_on,
       (body::jsonb #>> '{observation,ends_on}')::date AS ends_on,
       body::jsonb #>> '{observation,source}' AS source,
       body::jsonb #>> '{observation,source_code}' AS source_code,
       (body::jsonb #>> '{observation,revision}')::integer AS revision,
       body::jsonb #>> '{observation,stated}' AS stated
FROM fact WHERE kind = 'observation';
