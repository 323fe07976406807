"""A server that keeps every promise but one: it passes requests on to a right one and spoils one kind of answer.

It is there so that the kit can be seen to fail.
"""

from __future__ import annotations

import http.client
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP = {"connection", "transfer-encoding", "content-length", "host", "date", "server"}


class Passing:
    """An exchange on its way through; rules change it."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.status, self.told, self.answer = 0, {}, b""

    @property
    def is_push(self):
        return self.method == "POST" and "/batches" in self.path

    def change(self, apply):
        """Changes the JSON of an answer, where it is an object."""
        try:
            value = json.loads(self.answer)
        except ValueError:
            return
        if isinstance(value, dict):
            apply(value)
            self.answer = json.dumps(value).encode()


def _forget_key(it):
    it.headers.pop("idempotency-key", None)


def _forget_dry_run(it):
    it.path = it.path.replace("?dry_run=true", "")


def _miscount(it):
    if it.is_push:
        it.change(lambda batch: batch.update(accepted=batch.get("accepted", 0) + 1))


def _lose_a_result(it):
    if "/results" in it.path:
        it.change(lambda page: page.get("results", [0]).pop())


def _blame_ourselves(it):
    if it.status == 400:
        it.status = 500


def _lose_pointers(it):
    if "/results" in it.path:
        it.change(lambda page: [problem.update(pointer="") for result in page["results"] for problem in result["problems"]])


def _never_end(it):
    if "/results" in it.path:
        it.change(lambda page: page.update(nextPageToken=page.get("nextPageToken", "again")))


def _clamp(it):
    if "pageSize=100000" in it.path:
        it.path = it.path.replace("pageSize=100000", "pageSize=100")


def _forget_limits(it):
    for name in ("ratelimit", "ratelimit-policy"):
        it.told.pop(name, None)


def _let_anyone_in(token):
    def rule(it):
        it.headers["authorization"] = f"Bearer {token}"

    return rule


def _plain_refusals(it):
    if it.status >= 400:
        it.told["content-type"] = "text/plain"
        it.answer = b"no"


def _drop_a_record(it):
    if it.is_push and it.headers.get("content-type") == "application/json" and "content-encoding" not in it.headers:
        try:
            push = json.loads(it.body)
            push["records"] = push["records"][:-1] or push["records"]
            it.body = json.dumps(push).encode()
        except (ValueError, TypeError, KeyError):
            pass


def _forget_deletions(it):
    it.body = it.body.replace(b'"deleted": true', b'"deleted": false')


def _any_type(it):
    if it.headers.get("content-type") == "image/png":
        it.headers["content-type"] = "text/csv"


def _uncompressed(it):
    it.headers.pop("content-encoding", None)


def _never_settle(it):
    if it.is_push or "/v1/batches/" in it.path and "/results" not in it.path:
        it.change(lambda batch: batch.update(state="BATCH_STATE_VALIDATING"))


def _no_place(it):
    if it.status == 400:
        it.change(lambda problem: problem.update(detail="it is wrong"))


def _other_id(it):
    it.told["x-request-id"] = "0"


# Each rule by what it does before and after the right server has answered, and the check that must find it.
BEFORE = {
    "forgets idempotency keys": (_forget_key, "retry.same-key"),
    "applies dry runs": (_forget_dry_run, "batch.dry-run"),
    "drops a record in silence": (_drop_a_record, "batch.every-record-told"),
    "forgets deletions": (_forget_deletions, "correct.mark"),
    "cuts pages that are too large": (_clamp, "paging.cap"),
    "takes any content type": (_any_type, "doors.media-type"),
    "does not decompress": (_uncompressed, "doors.gzip"),
}
AFTER = {
    "miscounts": (_miscount, "batch.partly-applied"),
    "loses a result": (_lose_a_result, "batch.every-record-told"),
    "answers bad input with 500": (_blame_ourselves, "errors.hostile-bodies"),
    "does not say where": (_lose_pointers, "errors.second-mark"),
    "has lists without end": (_never_end, "paging.ends"),
    "does not tell its limits": (_forget_limits, "limits.told"),
    "refuses in plain text": (_plain_refusals, "errors.request-id"),
    "says that bad JSON is wrong, not where": (_no_place, "batch.malformed-is-nothing"),
    "has request ids of no use": (_other_id, "errors.request-id"),
    "leaves batches unsettled": (_never_settle, "batch.life"),
}


def rules(token: str) -> dict[str, tuple]:
    """Every rule by name: what it does before, what after, and the check that must find it."""
    found = {name: (rule, None, check) for name, (rule, check) in BEFORE.items()}
    found |= {name: (None, rule, check) for name, (rule, check) in AFTER.items()}
    found["lets anyone in"] = (_let_anyone_in(token), None, "access.anonymous")
    return found


class WrongServer:
    """Listens on a port of its own, for as long as it is used as a context."""

    def __init__(self, url: str, before=None, after=None):
        upstream = urllib.parse.urlsplit(url)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def serve(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in HOP}
                it = Passing(self.command, self.path, headers, body)
                if before:
                    before(it)
                connection = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=120)
                connection.request(it.method, it.path, it.body or None, it.headers)
                response = connection.getresponse()
                it.status, it.answer = response.status, response.read()
                it.told = {name.lower(): value for name, value in response.getheaders() if name.lower() not in HOP}
                connection.close()
                if after:
                    after(it)
                self.send_response_only(it.status)
                for name, value in it.told.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(it.answer)))
                self.end_headers()
                self.wfile.write(it.answer)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
