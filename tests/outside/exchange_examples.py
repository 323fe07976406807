"""Exchanges the examples of the documents with a running server: what is recorded is what happens.

    python3 exchange_examples.py --url … --token … --examples crates/host/data/examples.json [--write]

Each request is sent in order, with `{{name}}` replaced by what an earlier answer gave and `{{in 7 days}}` by a date. The answer must be a success, satisfy the
schema that /openapi.json gives it, and have the form of the one that is recorded. With `--write` it is recorded instead. The
request too must satisfy its schema.
"""

import argparse
import datetime
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

parser = argparse.ArgumentParser(description=__doc__)
for name in ("url", "token", "examples"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--write", action="store_true")
given = parser.parse_args()

# Examples name hosts that exist for examples alone; here something is called in their place.
STANDS_FOR = [("https://hooks.example.org/headway", "https://localhost:9443/headway")]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYg="
# How long what arrives by following a journal is waited for.
PATIENCE_S = 30
TODAY = datetime.date.today()
# How a webhook's target fares, and how large the log was when it was signed last, is not the same each time.
PASSING = {"attempts", "endedAt", "failingSince", "hashes", "lastSuccessAt", "nextAttemptAt", "pending"}
# Items of a list that are recorded.
SHOWN = 2

with urllib.request.urlopen(f"{given.url}/openapi.json", timeout=30) as answer:
    document = json.load(answer)
registry = Registry().with_resource("urn:document", Resource(contents=document, specification=DRAFT202012))
operations = {it["operationId"]: (verb, path, it) for path, item in document["paths"].items() for verb, it in item.items()}


def check(what, pointer, value):
    schema = {"$ref": f"urn:document#{pointer}"}
    faults = list(Draft202012Validator(schema, registry=registry).iter_errors(value))
    assert not faults, f"{what}: {faults[0].json_path}: {faults[0].message}"


def place(*parts):
    return "".join("/" + str(it).replace("~", "~0").replace("/", "~1") for it in parts)


def filled(value, kept):
    if isinstance(value, str):
        value = re.sub(r"\{\{in (\d+) days\}\}", lambda it: str(TODAY + datetime.timedelta(days=int(it[1]))), value)
        return re.sub(r"\{\{(\w+)\}\}", lambda it: kept[it[1]], value)
    if isinstance(value, list):
        return [filled(it, kept) for it in value]
    if isinstance(value, dict):
        return {name: filled(it, kept) for name, it in value.items()}
    return value


def at(value, pointer):
    for part in pointer.split("/")[1:]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def send(exchange, kept):
    verb, path, _ = operations[exchange["rpc"]]
    for name, value in exchange.get("path", {}).items():
        path = path.replace(f"{{{name}}}", urllib.parse.quote(filled(value, kept), safe=""))
    query = urllib.parse.urlencode(filled(exchange.get("query", {}), kept))
    body, media = exchange.get("body"), exchange.get("media", "application/json")
    if body is not None:
        body = filled(body, kept)
        text = body if isinstance(body, str) else json.dumps(body)
        for example, ours in STANDS_FOR:
            text = text.replace(example, ours)
        body = text.encode()
    request = urllib.request.Request(f"{given.url}{path}{'?' if query else ''}{query}", method=verb.upper(), data=body)
    request.add_header("authorization", f"Bearer {given.token}")
    if body is not None:
        request.add_header("content-type", media)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def shown(value, key=""):
    """As it is recorded: long lists cut short, hosts and secrets put back."""
    if isinstance(value, list):
        return [shown(it) for it in value[:SHOWN]]
    if isinstance(value, dict):
        return {name: shown(it, name) for name, it in value.items()}
    if key == "secret":
        return SECRET if value.startswith("whsec_") else "shown-once-and-kept-as-a-hash"
    if isinstance(value, str):
        for example, ours in STANDS_FOR:
            value = value.replace(ours, example)
    return value


def form(value):
    if not isinstance(value, dict):
        return type(value).__name__
    return {name: form(it) for name, it in value.items() if name not in PASSING}


def main():
    with open(given.examples, encoding="utf-8") as file:
        exchanges = json.load(file)
    kept = {}
    for exchange in exchanges:
        rpc = exchange["rpc"]
        verb, path, operation = operations[rpc]
        what = f"{rpc} ({exchange['title']})"
        media = exchange.get("media", "application/json")
        if "body" in exchange and media == "application/json":
            check(what, place("paths", path, verb, "requestBody", "content", media, "schema"), exchange["body"])
        success = next(it for it in operation["responses"] if it.startswith("2"))
        answered = place("paths", path, verb, "responses", success, "content", "application/json", "schema")
        if given.write:
            exchange["sent"] = {it: filled(exchange[it], kept) for it in ("path", "query", "body") if it in exchange}
        if "unsent" in exchange:
            if "answer" in exchange:
                check(what, answered, exchange["answer"])
            continue
        until = time.monotonic() + PATIENCE_S
        status, answer = send(exchange, kept)
        while status in (404, 409) and time.monotonic() < until:
            time.sleep(0.3)
            status, answer = send(exchange, kept)
        assert str(status) == success, f"{what} was answered {status}: {answer}"
        check(what, answered, answer)
        kept |= {name: at(answer, pointer) for name, pointer in exchange.get("keep", {}).items()}
        if given.write:
            exchange["answer"] = shown(answer)
        else:
            assert form(exchange["answer"]) == form(answer), f"{what} is recorded otherwise: record the examples again"
    without = sorted(
        it for it, (_, _, operation) in operations.items() if operation["tags"] != ["Host"] and it not in {that["rpc"] for that in exchanges}
    )
    if given.write:
        with open(given.examples, "w", encoding="utf-8") as file:
            json.dump(exchanges, file, indent=1, ensure_ascii=False)
            file.write("\n")
        print("without an example:", without)
    else:
        assert not without, f"operations without an example: {without}"
    print(f"{len(exchanges)} examples are what happens")


if __name__ == "__main__":
    main()
