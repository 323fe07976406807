"""Identifiers as schools live them: whichever number names the school, it is the same school."""

from ..kit import Kit, Skip, check, equal


def _same(kit: Kit, name: str):
    if name not in kit.numbers:
        raise Skip(f"give --{name.replace('_', '-')}")
    pupil = kit.pupil()
    kit.counts(kit.push(kit.enrolment(pupil)), accepted=1)
    named = kit.enrolment(pupil)
    named["enrolment"] = {**named["enrolment"], "urn": kit.numbers[name]}
    kit.counts(kit.push(named), unchanged=1)


@check("identifiers.ukprn", "the UKPRN names the same school as the URN")
def ukprn(kit: Kit):
    _same(kit, "ukprn")


@check("identifiers.laestab", "the LAESTAB names the same school as the URN")
def laestab(kit: Kit):
    _same(kit, "laestab")


@check("identifiers.superseded", "a URN that was superseded is taken, and the answer says by which")
def superseded(kit: Kit):
    if "superseded" not in kit.numbers:
        raise Skip("give --superseded-urn")
    record = kit.enrolment(kit.pupil())
    before = {**record, "enrolment": {**record["enrolment"], "urn": kit.numbers["superseded"]}}
    batch = kit.push(before, query="?dry_run=true")
    kit.counts(batch, accepted=1)
    (result,) = kit.results(batch)
    if not result.get("supersededByUrn"):
        equal(result.get("supersededByUrn"), "the URN of today", "`supersededByUrn`")


@check("identifiers.malformed", "what is no number of a school is rejected as such")
def malformed(kit: Kit):
    for number in ("1", "999999999", "abc", ""):
        record = kit.enrolment(kit.pupil())
        record["enrolment"] = {**record["enrolment"], "urn": number}
        batch = kit.push(record, query="?dry_run=true")
        kit.counts(batch, rejected=1)
        equal(kit.results(batch)[0]["problems"][0]["pointer"], "/enrolment/urn", "the pointer")
