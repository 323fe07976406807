"""The delta feed: in order, complete, with deletions, without pupils' ids."""

from ..kit import Kit, Skip, check, equal, expect


def _changes(kit: Kit, kind: str, after: str | None) -> tuple[list[dict], str]:
    if not kit.trust or not kit.read_token:
        raise Skip("give --trust and --read-token")
    found = []
    for _ in range(10_000):
        path = f"/v1/trusts/{kit.trust}/changes/{kind}?urn={kit.urn}&pageSize=500" + (f"&after={after}" if after else "")
        answer = kit.client.get(path, token=kit.read_token)
        if answer.status == 404 and answer.reason == "PATH_UNKNOWN":
            raise Skip("this deployment has no change feed")
        equal(answer.status, 200, "the status of the change feed")
        page = answer.json()
        found += page.get("changes", [])
        expect(page.get("after"), "every answer says what to ask with next")
        after = page["after"]
        if not page.get("more"):
            return found, after
    raise AssertionError("the change feed does not end")


@check("changes.upsert-and-delete", "what changed since is told in order, deletions too")
def upsert_and_delete(kit: Kit):
    _, start = _changes(kit, "enrolments", None)
    pupil, other = kit.pupil(), kit.pupil()
    kit.push(kit.enrolment(pupil))
    kit.push(kit.enrolment(other))
    found, middle = _changes(kit, "enrolments", start)
    equal([it["op"] for it in found], ["CHANGE_OP_UPSERT"] * 2, "the changes")
    positions = [int(it["position"]) for it in found]
    expect(positions == sorted(positions) and positions[0] < positions[1], "positions are in the order of commits")
    expect(all(it["urn"] == kit.urn for it in found), "each names the school")
    kit.push(kit.enrolment(pupil, deleted=True))
    found, end = _changes(kit, "enrolments", middle)
    equal([it["op"] for it in found], ["CHANGE_OP_DELETE"], "the changes after the deletion")
    equal(_changes(kit, "enrolments", end)[0], [], "the changes since the last answer")


@check("changes.pseudonyms", "no pupil's id comes back, and one pupil is one pseudonym")
def pseudonyms(kit: Kit):
    _, start = _changes(kit, "enrolments", None)
    pupil = kit.pupil()
    kit.push(kit.enrolment(pupil), kit.register({pupil: "/"}))
    enrolments, _ = _changes(kit, "enrolments", start)
    expect(pupil not in str(enrolments), "the vendor's id of the pupil came back")
    expect(enrolments and enrolments[0]["record"]["enrolment"]["pupil"], "the pupil is told by a pseudonym")


@check("changes.unchanged-is-silent", "pushing the same again is no change")
def unchanged_is_silent(kit: Kit):
    record = kit.enrolment(kit.pupil())
    kit.push(record)
    _, start = _changes(kit, "enrolments", None)
    kit.push(record)
    equal(_changes(kit, "enrolments", start)[0], [], "the changes after an equal push")


@check("changes.token", "a place that is none of ours is refused")
def token(kit: Kit):
    _changes(kit, "enrolments", None)
    path = f"/v1/trusts/{kit.trust}/changes/enrolments?after=nonsense"
    expect(kit.client.get(path, token=kit.read_token).status in (400, 410), "a place that is none of ours")
