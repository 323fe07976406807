"""Errors say exactly what and where; 4xx is the caller's and 5xx never is an answer to bad input."""

import datetime
import json
import secrets

from ..kit import Kit, check, equal, expect


def _rejected(kit: Kit, record: dict, pointer: str, reason: str) -> dict:
    batch = kit.push(record)
    kit.counts(batch, rejected=1)
    (result,) = kit.results(batch)
    problem = result["problems"][0]
    equal((problem["pointer"], problem["reason"]), (pointer, f"ERROR_REASON_{reason}"), f"the problem of {json.dumps(record)}")
    return problem


@check("errors.code-unknown", "an attendance code that is none is rejected with the codes there are")
def code_unknown(kit: Kit):
    pupil = kit.pupil()
    _rejected(kit, kit.register({pupil: "?"}), "/attendanceRegister/marks/0/code", "CODE_UNKNOWN")


@check("errors.code-withdrawn", "a code that was withdrawn is rejected with the date")
def code_withdrawn(kit: Kit):
    codes = kit.client.get("/v1/attendance-codes").json()["codes"]
    withdrawn = [it for it in codes if it.get("validTo", "9999") < kit.date]
    in_force = {it["code"] for it in codes if it.get("validTo", "9999") >= kit.date}
    withdrawn = [it for it in withdrawn if it["code"] not in in_force]
    expect(withdrawn, "the code list must tell of withdrawn codes too")
    record = kit.register({kit.pupil(): withdrawn[0]["code"]})
    problem = _rejected(kit, record, "/attendanceRegister/marks/0/code", "CODE_UNKNOWN")
    expect(withdrawn[0]["validTo"] in problem["detail"], "the detail must say until when the code was valid")


@check("errors.future", "a register of tomorrow is rejected")
def future(kit: Kit):
    later = (datetime.date.today() + datetime.timedelta(days=3)).isoformat()
    _rejected(kit, kit.register({kit.pupil(): "/"}, date=later), "/attendanceRegister/date", "DATE_IN_FUTURE")


@check("errors.session", "a session that is none is rejected at its place")
def session(kit: Kit):
    _rejected(kit, kit.register({kit.pupil(): "/"}, session="NOON"), "/attendanceRegister/session", "FIELD_INVALID")


@check("errors.second-mark", "the pointer names the mark, not the register")
def second_mark(kit: Kit):
    one, other = kit.pupil(), kit.pupil()
    _rejected(kit, kit.register({one: "/", other: "?"}), "/attendanceRegister/marks/1/code", "CODE_UNKNOWN")


@check("errors.unknown-field", "a misspelt field is rejected with the nearest known name")
def unknown_field(kit: Kit):
    record = kit.register({kit.pupil(): "/"})
    record["attendanceRegister"]["sesion"] = record["attendanceRegister"].pop("session")
    problem = _rejected(kit, record, "/attendanceRegister/sesion", "FIELD_UNKNOWN")
    expect("session" in problem["detail"], "the detail must name `session`")


@check("errors.every-problem", "all that is wrong with a record is told at once")
def every_problem(kit: Kit):
    record = kit.enrolment(kit.pupil(), yearGroup=99, startsOn="soon")
    (result,) = kit.results(kit.push(record))
    pointers = {it["pointer"] for it in result["problems"]}
    equal(pointers, {"/enrolment/yearGroup", "/enrolment/startsOn"}, "the pointers")


@check("errors.no-kind", "a record of no kind is rejected, not dropped")
def no_kind(kit: Kit):
    batch = kit.push({"externalId": "nothing"})
    kit.counts(batch, rejected=1)


@check("errors.explained", "the `type` of a problem is a page that explains it")
def explained(kit: Kit):
    problem = kit.refused(kit.client.get("/v1/nowhere"), 404, "PATH_UNKNOWN")
    page = kit.client.get(problem["type"])
    equal(page.status, 200, "the status of the page")
    expect(b"404" in page.body, "the page says the status")


@check("errors.request-id", "a refusal's `requestId` is the answer's X-Request-Id")
def request_id(kit: Kit):
    answer = kit.client.post(kit.path, "[]", headers={"content-type": "application/json"})
    equal(kit.refused(answer, 400)["requestId"], answer.headers.get("x-request-id"), "`requestId`")


BODIES = {
    "nothing": b"",
    "not UTF-8": b'{"records": [{"externalId": "\xff\xfe"}]}',
    "a NUL byte": b'{"records": [\x00]}',
    "deep nesting": b'{"records": ' + b"[" * 100_000,
    "deep nesting in a record": b'{"records": [{"a": ' + b'{"a": ' * 50_000 + b"1" + b"}" * 50_000 + b"}]}",
    "an enormous number": b'{"records": ' + b"9" * 100_000 + b"}",
    "not an object": b"[1, 2]",
    "no list": b'{"records": {}}',
    "two values": b'{"records": []} {"records": []}',
    "an unknown member": b'{"recods": []}',
}


@check("errors.hostile-bodies", "whatever is no push is refused as the caller's fault, with a problem document")
def hostile_bodies(kit: Kit):
    for name, body in BODIES.items():
        for media in ("application/json", "application/x-ndjson", "text/csv"):
            answer = kit.client.post(kit.path, body, headers={"content-type": media})
            expect(answer.status < 500, f"{name} as {media} was answered {answer.status}")
            if answer.status == 202:
                # A line or a row that is wrong by itself is told in its result.
                kit.counts(kit.client.settled(answer), rejected=answer.json()["records"])
            else:
                expect(answer.status in (400, 413), f"{name} as {media} was answered {answer.status}")
                kit.refused(answer, answer.status)


@check("errors.hostile-values", "whatever is no value is rejected at its place, never stored")
def hostile_values(kit: Kit):
    for value in (None, -1, 1e300, "", "\u0000", "x" * 100_000, [], {}, "' OR 1=1 --", "\ud83d\ude00"):
        records = []
        for member in ("urn", "pupil", "startsOn"):
            body = {"urn": kit.urn, "pupil": f"{kit.prefix}-{secrets.token_hex(2)}", "yearGroup": 4, "startsOn": kit.date}
            records.append({"externalId": member, "enrolment": {**body, member: value}})
        answer = kit.client.post(kit.path, json.dumps({"records": records, "dryRun": True}), headers={"content-type": "application/json"})
        expect(answer.status in (202, 400), f"{value!r:.40} was answered {answer.status}")
        if answer.status == 202:
            batch = kit.client.settled(answer)
            expect(batch["records"] == 3, "every record is counted")
            expect(batch.get("rejected", 0) >= 2, f"{value!r:.40} was not rejected")
