-- A client may work for several trusts: a key it used for one is free for another, and an answer is its trust's. The nil
-- id stands for the platform's own.
CREATE TABLE answer_of_trust (
    client_id   TEXT NOT NULL,
    key         TEXT NOT NULL,
    request     BLOB NOT NULL,
    answer      TEXT NOT NULL,
    answered_at TEXT NOT NULL,
    trust_id    BLOB NOT NULL DEFAULT x'00000000000000000000000000000000',
    PRIMARY KEY (client_id, trust_id, key)
) STRICT;

INSERT INTO answer_of_trust (client_id, key, request, answer, answered_at)
SELECT client_id, key, request, answer, answered_at FROM answer;

DROP TABLE answer;
ALTER TABLE answer_of_trust RENAME TO answer;
CREATE INDEX answer_by_age ON answer (answered_at);
