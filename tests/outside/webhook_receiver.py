"""A receiver of webhooks that knows of Headway what the documents say: it registers itself, verifies every message with the
`standardwebhooks` library, rotates its secret, and has messages replayed.

    python3 webhook_receiver.py --url … --token … --trust … --urn …
"""

import argparse
import base64
import json
import queue
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

parser = argparse.ArgumentParser()
for name in ("url", "token", "trust", "urn"):
    parser.add_argument(f"--{name}", required=True)
given = parser.parse_args()
inbox = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        inbox.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()


def call(verb, path, body=None):
    request = urllib.request.Request(given.url + path, method=verb, data=None if body is None else json.dumps(body).encode())
    request.add_header("authorization", f"Bearer {given.token}")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def next_message(kind):
    """The next message of a type; others are passed over."""
    while True:
        headers, body = inbox.get(timeout=30)
        if json.loads(body)["type"] == kind:
            return headers, body


def verified(secret, message):
    headers, body = message
    document = Webhook(secret).verify(body, headers)
    assert document["specversion"] == "1.0" and document["trustid"] == given.trust, document
    return document


def refused(secret, message):
    headers, body = message
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return
    raise AssertionError("a wrong signature was accepted")


def verify_asymmetric(public_keys, message):
    """`v1a`: Ed25519 over the same text, by a public key that anybody may know."""
    headers, body = message
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signatures = [base64.b64decode(it[4:]) for it in headers["webhook-signature"].split() if it.startswith("v1a,")]
    assert len(signatures) == len(public_keys)
    for key, signature in zip(public_keys, signatures):
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_"))).verify(signature, text)


UNIT = "headway.registry.v1.UnitCreated"
units = f"/v1/trusts/{given.trust}/schools/{given.urn}/units"
target = f"http://127.0.0.1:{server.server_port}/headway"
webhook = call("POST", f"/v1/trusts/{given.trust}/webhooks", {"url": target, "eventTypes": [UNIT]})
path = f"/v1/webhooks/{webhook['webhookId']}"
secret = webhook["secret"]

ping = call("POST", f"{path}/pings", {})
message = next_message("headway.registry.v1.WebhookPing")
assert verified(secret, message)["id"] == ping["messageId"]

call("POST", units, {"kind": "UNIT_KIND_TEAM", "name": "First"})
first = next_message(UNIT)
assert verified(secret, first)["data"]["name"] == "First"
verify_asymmetric(webhook["publicKeys"], first)
headers, body = first
refused(secret, (headers, body.replace(b"First", b"Worst")))
refused(secret, ({**headers, "webhook-id": "another"}, body))
refused(secret, ({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}, body))
refused("whsec_" + base64.b64encode(bytes(32)).decode(), first)

rotated = call("POST", f"{path}/secrets", {"overlapHours": 1})
assert rotated["secret"] != secret and len(rotated["publicKeys"]) == 2, rotated
call("POST", units, {"kind": "UNIT_KIND_TEAM", "name": "Second"})
second = next_message(UNIT)
verified(secret, second)
verified(rotated["secret"], second)
verify_asymmetric(rotated["publicKeys"], second)

last = call("POST", f"{path}/secrets", {"overlapHours": 0})
call("POST", f"{path}/replays", {"service": "registry", "after": str(int(json.loads(first[1])["sequence"]) - 1)})
again = [next_message(UNIT), next_message(UNIT)]
assert [it[0]["webhook-id"] for it in again] == [first[0]["webhook-id"], second[0]["webhook-id"]], "the same messages again"
for message in again:
    verified(last["secret"], message)
    refused(rotated["secret"], message)

deliveries = call("GET", f"{path}/deliveries?state=WEBHOOK_DELIVERY_STATE_DELIVERED")["deliveries"]
assert len(deliveries) >= 4 and all(it["attempts"][-1]["status"] == 204 for it in deliveries), deliveries
print("the Python receiver verified every message")
