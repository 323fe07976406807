"""Lists end, and a page token is what it was given for."""

from ..kit import Kit, check, equal, expect


def _batch(kit: Kit) -> dict:
    return kit.push(*(kit.enrolment(kit.pupil()) for _ in range(5)))


@check("paging.ends", "pages of one follow each other to the end, nothing twice, nothing left out")
def ends(kit: Kit):
    batch = _batch(kit)
    path, token, lines = f"/v1/batches/{batch['batchId']}/results?pageSize=1", "", []
    for _ in range(10):
        page = kit.client.get(path + token).json()
        lines += [it["line"] for it in page.get("results", [])]
        if not page.get("nextPageToken"):
            break
        token = f"&pageToken={page['nextPageToken']}"
    equal(lines, [1, 2, 3, 4, 5], "the lines")
    expect("nextPageToken" not in page, "`nextPageToken` must be absent at the end")


@check("paging.cap", "a page size above the cap is refused, not cut")
def cap(kit: Kit):
    batch = _batch(kit)
    answer = kit.client.get(f"/v1/batches/{batch['batchId']}/results?pageSize=100000")
    pointers = [it["pointer"] for it in kit.refused(answer, 400)["errors"]]
    equal(pointers, ["/pageSize"], "the pointers")


@check("paging.token-bound", "a page token is bound to its list and filters")
def token_bound(kit: Kit):
    batch = _batch(kit)
    path = f"/v1/batches/{batch['batchId']}/results"
    token = kit.client.get(f"{path}?pageSize=1").json()["nextPageToken"]
    other = kit.client.get(f"{path}?pageSize=1&outcome=RECORD_OUTCOME_ACCEPTED&pageToken={token}")
    problem = kit.refused(other, 400)
    equal(problem["errors"][0]["code"], "PAGE_TOKEN_INVALID", "the code")
    kit.refused(kit.client.get(f"{path}?pageToken=nonsense"), 400)
