"""HTTP as an integrator speaks it: the standard library, every exchange kept as evidence, credentials never."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.parse
from dataclasses import dataclass, field

SHOWN = 4096
TIMEOUT_S = 60
SETTLING = {"BATCH_STATE_RECEIVED", "BATCH_STATE_VALIDATING"}
SECRET = {"authorization", "cookie", "set-cookie", "proxy-authorization"}


class Unsettled(Exception):
    """A batch that did not come to its end in time."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def reason(self) -> str:
        """The reason of a problem document; empty where the answer is none."""
        if self.media_type != "application/problem+json":
            return ""
        return self.json().get("reason", "")


@dataclass
class Exchange:
    """One request and its answer, as a report shows them."""

    request: str
    response: str


def shown(body: bytes) -> str:
    text = body[:SHOWN].decode("utf-8", "backslashreplace")
    return text if len(body) <= SHOWN else f"{text}… ({len(body)} bytes)"


@dataclass
class Client:
    url: str
    token: str
    # Seconds that a batch may take to settle.
    patience: float = 60
    exchanges: list[Exchange] = field(default_factory=list)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    throttled: int = 0

    def __post_init__(self):
        parts = urllib.parse.urlsplit(self.url)
        self.scheme, self.prefix = parts.scheme, parts.path.rstrip("/")
        self.host = parts.hostname or "localhost"
        self.port = parts.port or (443 if self.scheme == "https" else 80)

    def connect(self) -> http.client.HTTPConnection:
        if self.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)

    def send(self, method, path, body=None, headers=None, token=None, patient=True) -> Answer:
        """Sends one request; a 429 or 503 is sent again after as long as it says, as an integrator must."""
        for attempt in range(8):
            answer = self._once(method, path, body, headers, token)
            wait = answer.headers.get("retry-after", "")
            if not patient or answer.status not in (429, 503) or attempt == 7:
                return answer
            self.throttled += 1
            time.sleep(min(float(wait) if wait.isdigit() else 1.0, 30.0))
        raise AssertionError("unreachable")

    def _once(self, method, path, body, headers, token) -> Answer:
        token = self.token if token is None else token
        sent = {"accept": "application/json", **(headers or {})}
        if token:
            sent["authorization"] = f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        connection = self.connect()
        try:
            connection.request(method, self.prefix + path, body=body, headers=sent)
            response = connection.getresponse()
            headers_in = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, headers_in, response.read())
        finally:
            connection.close()
        self._keep(method, path, sent, body or b"", answer)
        return answer

    def _keep(self, method, path, sent, body, answer):
        lines = [f"{method} {self.prefix}{path}"]
        lines += [f"{name}: {'***' if name.lower() in SECRET else value}" for name, value in sent.items()]
        request = "\n".join(lines) + "\n\n" + shown(body if isinstance(body, bytes) else b"(a stream)")
        head = [f"{answer.status}"]
        head += [f"{name}: {'***' if name in SECRET else value}" for name, value in answer.headers.items()]
        response = "\n".join(head) + "\n\n" + shown(answer.body)
        self.exchanges.append(Exchange(self._redacted(request), self._redacted(response)))
        self.answers.append((f"{method} {path}", answer))

    def _redacted(self, text: str) -> str:
        if self.token:
            text = text.replace(self.token, "***")
        # Any other token of that shape: those that checks forge from the one given.
        return re.sub(r"eyJ[\w-]+\.[\w-]+\.[\w-]*", "***", text)

    def get(self, path, **how) -> Answer:
        return self.send("GET", path, **how)

    def post(self, path, body, **how) -> Answer:
        return self.send("POST", path, body, **how)

    def settled(self, answer: Answer) -> dict:
        """The batch of a push, once nothing will change in it any more."""
        batch = answer.json()
        deadline = time.monotonic() + self.patience
        while batch.get("state") in SETTLING:
            if time.monotonic() > deadline:
                raise Unsettled(f"batch {batch.get('batchId')} is still {batch['state']} after {self.patience} s")
            time.sleep(0.1)
            batch = self.get(f"/v1/batches/{batch['batchId']}").json()
        return batch
