"""JSON, NDJSON and CSV are the same records; what else is sent is refused."""

import gzip
import json

from ..kit import Kit, check, equal, expect

NDJSON, CSV = {"content-type": "application/x-ndjson"}, {"content-type": "text/csv"}


@check("doors.ndjson", "a record a line; blank lines count as lines")
def ndjson(kit: Kit):
    one, other = kit.enrolment(kit.pupil()), kit.enrolment(kit.pupil())
    body = json.dumps(one) + "\n\n" + json.dumps(other) + "\n"
    batch = kit.taken(kit.client.post(kit.path, body, headers=NDJSON))
    kit.counts(batch, accepted=2)
    equal([it["line"] for it in kit.results(batch)], [1, 3], "the lines")
    kit.counts(kit.push(one, other), unchanged=2)


@check("doors.ndjson-place", "a line that is no JSON is told by line and column")
def ndjson_place(kit: Kit):
    good = json.dumps(kit.enrolment(kit.pupil()))
    answer = kit.client.post(kit.path, good + '\n{"externalId": \n', headers=NDJSON)
    if answer.status == 202:
        (result,) = kit.results(kit.taken(answer), "outcome=RECORD_OUTCOME_REJECTED")
        equal(result["line"], 2, "the line")
    else:
        expect("line 2" in kit.refused(answer, 400, "BODY_MALFORMED")["detail"], "the detail must name line 2")


@check("doors.csv", "a record a row, columns by name in any order")
def csv(kit: Kit):
    pupil = kit.pupil()
    enrolment = kit.enrolment(pupil)
    body = f"pupil,Year Group,starts-on,urn,external_id\r\n{pupil},4,{kit.term_start},{kit.urn},e1\r\n"
    batch = kit.taken(kit.client.post(kit.path, body, headers=CSV))
    kit.counts(batch, accepted=1)
    kit.counts(kit.push(enrolment), unchanged=1)
    kit.marks.add((kit.date, "PM", pupil))
    marks = f"external_id,urn,date,session,pupil,code\nr1,{kit.urn},{kit.date},PM,{pupil},L\nr2,{kit.urn},{kit.date},PM,{pupil},?\n"
    batch = kit.taken(kit.client.post(kit.path, marks, headers=CSV))
    kit.counts(batch, accepted=1, rejected=1)
    (result,) = kit.results(batch, "outcome=RECORD_OUTCOME_REJECTED")
    equal((result["line"], result["externalId"]), (3, "r2"), "line of the file and external id")


@check("doors.csv-columns", "a missing column is named")
def csv_columns(kit: Kit):
    answer = kit.client.post(kit.path, "external_id,urn,date,session,pupil\n", headers=CSV)
    expect("code" in kit.refused(answer, 400, "COLUMN_MISSING")["detail"], "the detail must name `code`")


@check("doors.media-type", "a content type that is not read is refused with those that are")
def media_type(kit: Kit):
    answer = kit.client.post(kit.path, "x", headers={"content-type": "image/png"})
    problem = kit.refused(answer, 415, "MEDIA_TYPE_UNSUPPORTED")
    expect("ndjson" in problem["detail"], "the detail must name what is read")


@check("doors.gzip", "a body may be compressed with gzip")
def compressed(kit: Kit):
    record = kit.enrolment(kit.pupil())
    body = gzip.compress(json.dumps({"records": [record]}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    kit.counts(kit.taken(kit.client.post(kit.path, body, headers=headers)), accepted=1)


@check("doors.encoding", "a Content-Encoding that is not read is refused with those that are")
def encoding(kit: Kit):
    headers = {"content-type": "application/json", "content-encoding": "br"}
    answer = kit.client.post(kit.path, "x", headers=headers)
    kit.refused(answer, 415, "ENCODING_UNSUPPORTED")
    expect("gzip" in answer.headers.get("accept-encoding", ""), "Accept-Encoding must name gzip")


@check("doors.method", "a path that does not take a method says so")
def method(kit: Kit):
    kit.refused(kit.client.send("DELETE", kit.path), 405, "METHOD_NOT_ALLOWED")


@check("doors.contract", "the contract is there to be read, and tells of pushes")
def contract(kit: Kit):
    document = kit.client.get("/openapi.json")
    equal(document.status, 200, "the status")
    expect(document.json()["openapi"].startswith("3.1"), "OpenAPI 3.1")
    expect("/v1/feeds/{feed_id}/batches" in document.json()["paths"], "the path of pushes")
