"""Hooks for schemathesis: whoever has no right is refused as such, whatever else is wrong with the request."""

import schemathesis


@schemathesis.check
def nothing_but_refusals(ctx, response, case):
    assert response.status_code in (401, 403, 404), f"{case.method} {case.path} was answered {response.status_code}: {response.text[:300]}"
