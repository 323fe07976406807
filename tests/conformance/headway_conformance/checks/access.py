"""Credentials: nothing without one, nothing beyond one, and never a hint of what others have."""

import uuid

from ..kit import Kit, Skip, check, expect


@check("access.anonymous", "without a token: 401, and how to authenticate")
def anonymous(kit: Kit):
    for path in (f"/v1/feeds/{kit.feed}", "/v1/attendance-codes"):
        answer = kit.client.get(path, token="")
        kit.refused(answer, 401, "UNAUTHENTICATED")
        expect("bearer" in answer.headers.get("www-authenticate", "").lower(), "WWW-Authenticate must say Bearer")
    record = {"records": [kit.enrolment(kit.pupil())]}
    kit.refused(kit.client.post(kit.path, record, token=""), 401, "UNAUTHENTICATED")


@check("access.forged", "a token that was tampered with is none")
def forged(kit: Kit):
    for token in ("nonsense", kit.client.token[:-6], f"{kit.client.token}x"):
        kit.refused(kit.client.get(f"/v1/feeds/{kit.feed}", token=token), 401, "UNAUTHENTICATED")


@check("access.foreign", "what is not yours is as if it were not there")
def foreign(kit: Kit):
    nowhere = uuid.uuid4()
    body = {"records": [kit.enrolment(kit.pupil())]}
    kit.refused(kit.client.post(f"/v1/feeds/{nowhere}/batches", body), 404, "NOT_FOUND")
    kit.refused(kit.client.get(f"/v1/batches/{nowhere}"), 404, "NOT_FOUND")


@check("access.scope", "a token of lesser scope: 403, naming the scope that is missing")
def scope(kit: Kit):
    trust = kit.trust or kit.client.get(f"/v1/feeds/{kit.feed}").json()["trustId"]
    feed = {"name": "x", "clientId": "x", "kinds": ["RECORD_KIND_PUPIL"]}
    answer = kit.client.post(f"/v1/trusts/{trust}/feeds", feed)
    if answer.status not in (401, 403):
        raise Skip("this token may do more than push records; a vendor's should not")
    expect("intelligence:write" in kit.refused(answer, 403, "SCOPE_MISSING")["detail"], "the scope must be named")


@check("access.school", "a school the feed does not speak for is refused by record")
def school(kit: Kit):
    pupil = kit.pupil()
    record = {"externalId": "x", "enrolment": {"urn": "100000", "pupil": pupil, "yearGroup": 4, "startsOn": kit.term_start}}
    batch = kit.push(record)
    kit.counts(batch, rejected=1)
    problem = kit.results(batch)[0]["problems"][0]
    expect(problem["pointer"] == "/enrolment/urn", f"the pointer is {problem['pointer']}")
    expect(problem["reason"] == "ERROR_REASON_SCHOOL_UNKNOWN", f"the reason is {problem['reason']}")
