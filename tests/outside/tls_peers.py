"""Services that follow each other over TLS: what is told to one arrives at its peer, and not at a peer whose certificate
is of another authority. Takes one JSON argument; tests/it/tls.rs says what is in it.
"""

import http.client
import json
import ssl
import sys
import time
import urllib.parse

told = json.loads(sys.argv[1])
AUTHORITIES = {"stranger": "other-ca.pem"}


def ask(service, verb, path, body=None, media="application/json"):
    place = urllib.parse.urlsplit(told[service])
    context = ssl.create_default_context(cafile=f"{told['folder']}/{AUTHORITIES.get(service, 'ca.pem')}")
    # What is asked here is asked as a service.
    context.load_cert_chain(f"{told['folder']}/server.pem", f"{told['folder']}/server.key")
    connection = http.client.HTTPSConnection(place.hostname, place.port, context=context, timeout=30)
    headers = {"authorization": f"Bearer {told['operator']}", "content-type": media}
    connection.request(verb, path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if text.startswith("{") else text


def done(answer):
    status, body = answer
    assert 200 <= status < 300, answer
    return body


with open(told["register"], "rb") as register:
    done(ask("registry", "POST", "/v1/establishment-imports", register.read(), "text/csv"))
trust = json.dumps({"name": "A trust", "groupUid": "5453"})
trust = done(ask("registry", "POST", "/v1/trusts", trust))["trustId"]
schools = f"/v1/trusts/{trust}/standings"
deadline = time.monotonic() + 30
while not done(ask("intelligence", "GET", schools)).get("standings"):
    assert time.monotonic() < deadline, "the peer never heard of the schools"
    time.sleep(0.2)

# It had as long to hear of them, and its tokens are genuine.
assert not done(ask("stranger", "GET", schools)).get("standings")
metrics = done(ask("registry", "GET", "/metrics"))
assert 'headway_refused_total{limit="handshake"}' in metrics, "its handshakes are refused"
print("peers: every check passed")
