"""Honest limits: told before they are met, and refused in a way that says what to do."""

import re

from ..kit import Kit, check, equal, expect

ITEM = re.compile(r'"(?P<name>[^"]*)"(?P<parameters>(;[a-z]+=("[^"]*"|[0-9]+))*)')


def _items(field: str) -> dict[str, dict[str, str]]:
    """A list of strings with parameters (RFC 9651)."""
    found = {}
    for text in field.split(", "):
        item = ITEM.fullmatch(text)
        expect(item, f"{text!r} is no item of a structured field")
        pairs = [it.split("=", 1) for it in item["parameters"].split(";") if it]
        found[item["name"]] = dict(pairs)
    return found


@check("limits.told", "every answer says what is allowed and what is left")
def told(kit: Kit):
    for answer in (
        kit.client.get("/v1/attendance-codes"),
        kit.client.get("/v1/nowhere"),
        kit.client.get("/v1/attendance-codes", token=""),
        kit.client.post(kit.path, {"records": []}),
    ):
        policy = _items(answer.headers.get("ratelimit-policy", ""))
        left = _items(answer.headers.get("ratelimit", ""))
        expect(left, "RateLimit names a policy")
        for name, parameters in left.items():
            expect(name in policy, f"RateLimit names {name}, which RateLimit-Policy does not")
            expect(int(parameters["r"]) <= int(policy[name]["q"]), "more is left than is allowed")


@check("limits.counted", "what is left is less after a request")
def counted(kit: Kit):
    # A bucket fills while we ask: some of many answers must be lower than the one before.
    def left() -> int:
        headers = kit.client.get("/v1/attendance-codes").headers
        return int(next(iter(_items(headers.get("ratelimit", "")).values()))["r"])

    policy = _items(kit.client.get("/v1/attendance-codes").headers.get("ratelimit-policy", ""))
    most = int(next(iter(policy.values()))["q"])
    expect(all(left() < most for _ in range(3)), "a request is not counted")


@check("limits.page-told", "the cap of a page is told by who exceeds it")
def page_told(kit: Kit):
    batch = kit.push(kit.enrolment(kit.pupil()))
    answer = kit.client.get(f"/v1/batches/{batch['batchId']}/results?pageSize=0")
    (error,) = kit.refused(answer, 400)["errors"]
    equal(error["pointer"], "/pageSize", "the pointer")
    expect(re.search(r"\d+", error["detail"]), "the detail must say which sizes there are")


@check("limits.body", "a body larger than is read is refused before it is sent, with what to send instead")
def body(kit: Kit):
    connection = kit.client.connect()
    try:
        connection.putrequest("POST", kit.client.prefix + "/v1/feeds/" + kit.feed + "/batches")
        connection.putheader("authorization", f"Bearer {kit.client.token}")
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(1 << 40))
        connection.endheaders(b'{"records": [')
        connection.sock.settimeout(20)
        try:
            response = connection.getresponse()
        except TimeoutError:
            # Read as it comes, in parts: there is no limit to tell of.
            return
        text = response.read()
    finally:
        connection.close()
    equal(response.status, 413, "the status")
    expect(b"bytes" in text and b"BODY_TOO_LARGE" in text, "the answer must name the limit")
