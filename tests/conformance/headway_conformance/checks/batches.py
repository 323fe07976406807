"""No batch half-fails in silence; corrections and deletions are records too."""

import json

from ..kit import OUTCOMES, Kit, Skip, check, equal, expect


@check("batch.partly-applied", "a wrong record is rejected by itself and told; the others hold")
def partly_applied(kit: Kit):
    good, bad = kit.pupil(), kit.pupil()
    wrong = kit.enrolment(bad, yearGroup=99)
    batch = kit.push(kit.enrolment(good), wrong)
    equal(batch["state"], "BATCH_STATE_PARTLY_APPLIED", "the state")
    kit.counts(batch, accepted=1, rejected=1)
    (result,) = kit.results(batch, "outcome=RECORD_OUTCOME_REJECTED")
    equal((result["line"], result["externalId"]), (2, wrong["externalId"]), "line and external id of the rejected record")
    problem = result["problems"][0]
    equal(problem["pointer"], "/enrolment/yearGroup", "the pointer")
    expect("14" in problem["detail"], "the detail must say what is accepted")
    kit.counts(kit.push(kit.enrolment(good)), unchanged=1)


@check("batch.rejected", "a push of which nothing holds says so")
def rejected(kit: Kit):
    batch = kit.push(kit.enrolment(kit.pupil(), startsOn="soon"))
    equal(batch["state"], "BATCH_STATE_REJECTED", "the state")
    kit.counts(batch, rejected=1)


@check("batch.malformed-is-nothing", "a body that breaks off half-way leaves nothing behind")
def malformed_is_nothing(kit: Kit):
    pupil = kit.pupil()
    record = kit.enrolment(pupil)
    broken = json.dumps({"records": [record, record]})[:-20]
    answer = kit.client.post(kit.path, broken, headers={"content-type": "application/json"})
    problem = kit.refused(answer, 400, "BODY_MALFORMED")
    expect("line" in problem["detail"] or "column" in problem["detail"], "the detail must name the place")
    kit.counts(kit.push(record), accepted=1)


@check("batch.every-record-told", "each record has a result, in order, with its line and external id")
def every_record_told(kit: Kit):
    records = [kit.enrolment(kit.pupil()) for _ in range(7)]
    records[3]["enrolment"]["yearGroup"] = 99
    batch = kit.push(*records)
    results = kit.results(batch, "pageSize=3")
    equal([it["line"] for it in results], list(range(1, 8)), "the lines")
    equal([it["externalId"] for it in results], [it["externalId"] for it in records], "the external ids")
    equal(results[3]["outcome"], "RECORD_OUTCOME_REJECTED", "the outcome of the wrong record")
    counted = {name: sum(it["outcome"] == f"RECORD_OUTCOME_{name.upper()}" for it in results) for name in OUTCOMES}
    for name in OUTCOMES:
        equal(counted[name], batch.get(name, 0), f"results that are {name}, against the batch")


@check("batch.life", "a batch comes to an end and stays as it was told")
def life(kit: Kit):
    records = [kit.enrolment(kit.pupil()) for _ in range(20)]
    batch = kit.push(*records)
    equal(batch["state"], "BATCH_STATE_APPLIED", "the state")
    equal(batch["feedId"], kit.feed, "`feedId`")
    expect(batch["receivedAt"], "a batch says when it was received")
    again = kit.client.get(f"/v1/batches/{batch['batchId']}").json()
    equal(again, batch, "the batch, read again")


@check("batch.large", "a push of some hundred records comes to its end, each told")
def large(kit: Kit):
    records = [kit.enrolment(kit.pupil()) for _ in range(300)]
    batch = kit.push(*records)
    kit.counts(batch, accepted=300)
    results = kit.results(batch, "pageSize=100")
    equal(len({it["line"] for it in results}), 300, "the number of results")


@check("batch.dry-run", "a dry run says what would be and stores nothing")
def dry_run(kit: Kit):
    good, bad = kit.enrolment(kit.pupil()), kit.enrolment(kit.pupil(), yearGroup=99)
    batch = kit.push(good, bad, query="?dry_run=true")
    equal(batch["state"], "BATCH_STATE_VALIDATED", "the state")
    equal(batch["dryRun"], True, "`dryRun`")
    kit.counts(batch, accepted=1, rejected=1)
    kit.counts(kit.push(good), accepted=1)


@check("correct.mark", "the latest mark wins, a mark can be taken back, and given again")
def mark(kit: Kit):
    pupil = kit.pupil()
    kit.push(kit.enrolment(pupil), kit.register({pupil: "N"}))
    kit.counts(kit.push(kit.register({pupil: "I"})), corrected=1)
    gone = kit.register({}, gone=[pupil])
    kit.counts(kit.push(gone), corrected=1)
    kit.counts(kit.push(gone), unchanged=1)
    kit.counts(kit.push(kit.register({pupil: "/"})), accepted=1)


@check("correct.enrolment", "an enrolment can be ended, and taken back")
def enrolment(kit: Kit):
    pupil = kit.pupil()
    kit.push(kit.enrolment(pupil))
    ended = kit.enrolment(pupil, endsOn=kit.date)
    kit.counts(kit.push(ended), corrected=1)
    gone = kit.enrolment(pupil, deleted=True)
    kit.counts(kit.push(gone), corrected=1)
    kit.counts(kit.push(gone), unchanged=1)


@check("correct.partial-register", "marks that a register leaves out stay as they are")
def partial_register(kit: Kit):
    one, other = kit.pupil(), kit.pupil()
    kit.push(kit.enrolment(one), kit.enrolment(other), kit.register({one: "/", other: "I"}))
    kit.push(kit.register({one: "L"}))
    kit.counts(kit.push(kit.register({other: "I"})), unchanged=1)


def _snapshots(kit: Kit) -> bool:
    document = kit.client.get("/openapi.json").json()
    push = document["paths"].get("/v1/feeds/{feed_id}/batches", {}).get("post", {})
    schema = push.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return "snapshot" in schema.get("properties", {})


@check("snapshot.guard", "a snapshot that would remove much stops, and says how much")
def guard(kit: Kit):
    if not _snapshots(kit):
        raise Skip("this deployment takes no snapshots")
    # Days of which nothing but this is known: no record of the school's own is in the scope.
    day = kit.day.replace(year=kit.day.year - 6).isoformat()
    pupils = [kit.pupil() for _ in range(10)]
    kit.push(*(kit.enrolment(it, startsOn=day, endsOn=day) for it in pupils))
    scope = {"kind": "RECORD_KIND_ENROLMENT", "urns": [kit.urn], "startsOn": day, "endsOn": day}
    kept = [kit.enrolment(it, startsOn=day, endsOn=day) for it in pupils[:5]]
    body = {"snapshot": scope, "records": kept}
    answer = kit.client.post(kit.path, body)
    if answer.status == 202:
        batch = kit.client.settled(answer)
        equal(batch["state"], "BATCH_STATE_REJECTED", "the state of a snapshot that removes half")
        expect("5" in str(batch.get("problems")), "the batch must say how many records it would remove")
    else:
        expect("5" in kit.refused(answer, 409, "REMOVAL_UNCONFIRMED")["detail"], "the detail must say how many")
    everyone = [kit.enrolment(it, startsOn=day, endsOn=day) for it in pupils]
    kit.counts(kit.push(*everyone), unchanged=10)
    batch = kit.taken(kit.client.post(kit.path, {**body, "confirmRemoval": 5}))
    equal(batch.get("removed"), 5, "`removed` of the confirmed snapshot")
    kit.counts(kit.push(*everyone), unchanged=5, accepted=5)
