"""What holds of every answer of this run."""

from ..kit import Kit, check, expect


@check("always.no-5xx", "nothing was answered with 500")
def no_5xx(kit: Kit):
    broken = [f"{request}: {answer.status}" for request, answer in kit.client.answers if answer.status in (500, 501, 502, 504)]
    expect(not broken, "\n".join(broken[:10]))


@check("always.problems", "every refusal was a problem document with a reason")
def problems(kit: Kit):
    bare = [f"{request}: {answer.status}" for request, answer in kit.client.answers if answer.status >= 400 and not answer.reason]
    expect(not bare, "\n".join(bare[:10]))


@check("always.request-id", "every answer has an X-Request-Id")
def request_id(kit: Kit):
    bare = [request for request, answer in kit.client.answers if not answer.headers.get("x-request-id")]
    expect(not bare, "\n".join(bare[:10]))


@check("always.no-cache", "no answer may be kept by others")
def no_cache(kit: Kit):
    kept = [request for request, answer in kit.client.answers if "no-store" not in answer.headers.get("cache-control", "")]
    expect(not kept, "\n".join(kept[:10]))
