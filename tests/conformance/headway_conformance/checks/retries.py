"""Retry anything, in any order: the end is the same."""

from concurrent.futures import ThreadPoolExecutor

from ..client import Client
from ..kit import Kit, check, equal, expect


@check("retry.same-key", "the same Idempotency-Key and body give the stored answer")
def same_key(kit: Kit):
    body = {"records": [kit.enrolment(kit.pupil())]}
    headers = {"idempotency-key": f"{kit.prefix}-same"}
    first = kit.client.post(kit.path, body, headers=headers)
    kit.counts(kit.taken(first), accepted=1)
    for _ in range(2):
        again = kit.client.post(kit.path, body, headers=headers)
        equal(again.status, 202, "the status of the repeated push")
        equal(again.json()["batchId"], first.json()["batchId"], "`batchId` of the repeated push")
        kit.counts(kit.taken(again), accepted=1)


@check("retry.key-reused", "the same Idempotency-Key with another body is refused")
def key_reused(kit: Kit):
    headers = {"idempotency-key": f"{kit.prefix}-reused"}
    kit.push(kit.enrolment(kit.pupil()), headers=headers)
    other = kit.client.post(kit.path, {"records": [kit.enrolment(kit.pupil())]}, headers=headers)
    kit.refused(other, 422, "IDEMPOTENCY_KEY_REUSED")


@check("retry.key-malformed", "an Idempotency-Key that is none is refused")
def key_malformed(kit: Kit):
    body = {"records": [kit.enrolment(kit.pupil())]}
    answer = kit.client.post(kit.path, body, headers={"idempotency-key": "x" * 300})
    kit.refused(answer, 400)


@check("retry.at-once", "eight equal pushes at once under one key are one push")
def at_once(kit: Kit):
    body = {"records": [kit.enrolment(kit.pupil())]}
    headers = {"idempotency-key": f"{kit.prefix}-once"}

    def one(_):
        client = Client(kit.client.url, kit.client.token)
        return client.post(kit.path, body, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    taken = [it for it in answers if it.status == 202]
    for answer in answers:
        if answer.status != 202:
            kit.refused(answer, 409, "IDEMPOTENCY_IN_FLIGHT")
    expect(taken, "one of eight must be taken")
    equal(len({it.json()["batchId"] for it in taken}), 1, "the number of batches")


@check("retry.no-key", "the same records again, without a key, change nothing")
def no_key(kit: Kit):
    pupil = kit.pupil()
    records = [kit.enrolment(pupil), kit.register({pupil: "/"})]
    kit.counts(kit.push(*records), accepted=2)
    kit.counts(kit.push(*records), unchanged=2)


@check("order.parked", "a mark before its pupil is parked, and counts when the pupil comes")
def parked(kit: Kit):
    pupil = kit.pupil()
    register = kit.register({pupil: "/"})
    batch = kit.push(register)
    kit.counts(batch, parked=1)
    (result,) = kit.results(batch, "outcome=RECORD_OUTCOME_PARKED")
    problem = result["problems"][0]
    equal(problem["reason"], "ERROR_REASON_PUPIL_UNKNOWN", "why it is parked")
    equal(problem["pointer"], "/attendanceRegister/marks/0/pupil", "what is waited for")
    kit.counts(kit.push(kit.enrolment(pupil)), accepted=1)
    kit.counts(kit.push(register), unchanged=1)


@check("order.one-batch", "records of one push may stand in any order")
def one_batch(kit: Kit):
    pupil = kit.pupil()
    register, enrolment = kit.register({pupil: "L"}), kit.enrolment(pupil)
    kit.push(register, enrolment)
    kit.counts(kit.push(enrolment, register), unchanged=2)


@check("order.late-correction", "a correction of a parked mark holds when the pupil comes")
def late_correction(kit: Kit):
    pupil = kit.pupil()
    kit.push(kit.register({pupil: "N"}))
    kit.push(kit.register({pupil: "I"}))
    kit.push(kit.enrolment(pupil))
    kit.counts(kit.push(kit.register({pupil: "I"})), unchanged=1)
    kit.counts(kit.push(kit.register({pupil: "/"})), corrected=1)
