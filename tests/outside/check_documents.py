"""Holds the served documents against their specifications, and every example in them against its schema.

    python3 check_documents.py --url … [--asyncapi-schema node_modules/@asyncapi/specs/schemas/3.0.0.json]
"""

import argparse
import json
import urllib.request

from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", required=True)
parser.add_argument("--asyncapi-schema")
given = parser.parse_args()


def fetch(path):
    with urllib.request.urlopen(given.url + path, timeout=60) as answer:
        return json.load(answer)


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for it in value.values():
            yield from references(it)
    elif isinstance(value, list):
        for it in value:
            yield from references(it)


def at(document, reference):
    assert reference.startswith("#/"), f"{reference} leads outside"
    for part in reference[2:].split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def resolve(document, value):
    return at(document, value["$ref"]) if "$ref" in value else value


openapi = fetch("/openapi.json")
for fault in OpenAPIV31SpecValidator(openapi).iter_errors():
    raise AssertionError(f"OpenAPI 3.1: {fault.json_path}: {fault.message}")
for reference in set(references(openapi)):
    at(openapi, reference)
registry = Registry().with_resource("urn:document", Resource(contents=openapi, specification=DRAFT202012))
checked = 0


def absolute(value):
    """A schema in the document as one outside it."""
    if isinstance(value, dict):
        return {name: f"urn:document{it}" if name == "$ref" else absolute(it) for name, it in value.items()}
    return [absolute(it) for it in value] if isinstance(value, list) else value


def check(what, schema, value):
    global checked
    faults = list(Draft202012Validator(absolute(schema), registry=registry).iter_errors(value))
    assert not faults, f"{what}: {faults[0].json_path}: {faults[0].message}"
    checked += 1


def check_media(what, content):
    for media, it in content.items():
        if "json" not in media:
            continue
        examples = it.get("examples", {})
        for name, example in examples.items():
            check(f"{what} {media} {name}", it["schema"], resolve(openapi, example)["value"])


for path, item in openapi["paths"].items():
    for verb, operation in item.items():
        what = f"{verb} {path}"
        assert operation["summary"] and operation["tags"] and operation["operationId"], f"{what} is not described"
        assert "security" in operation, f"{what} does not say who may"
        for parameter in operation.get("parameters", []):
            assert parameter["description"], f"{what}: {parameter['name']} is not described"
            if "example" in parameter:
                check(f"{what} {parameter['name']}", parameter["schema"], parameter["example"])
        check_media(what, operation.get("requestBody", {}).get("content", {}))
        for status, answer in operation["responses"].items():
            answer = resolve(openapi, answer)
            assert answer["description"], f"{what} {status} is not described"
            check_media(f"{what} {status}", answer.get("content", {}))
            if operation["tags"] != ["Host"] and not status.startswith("2"):
                named = answer["content"]["application/problem+json"]["examples"]
                for reason, example in named.items():
                    problem = resolve(openapi, example)["value"]
                    assert problem["status"] == int(status), f"{what} {status}: {reason}"
        if operation["tags"] != ["Host"] and operation["operationId"] != "Subscribe":
            success = next(it for status, it in operation["responses"].items() if status.startswith("2"))
            assert success["content"]["application/json"].get("examples"), f"{what} has no example of an answer"

asyncapi = fetch("/asyncapi.json")
for reference in set(references(asyncapi)):
    at(asyncapi, reference)
if given.asyncapi_schema:
    with open(given.asyncapi_schema, encoding="utf-8") as file:
        schema = json.load(file)
    for fault in Draft7Validator(schema).iter_errors(asyncapi):
        raise AssertionError(f"AsyncAPI 3.0: {fault.json_path}: {fault.message}")
    print("AsyncAPI 3.0 is valid")
print(f"OpenAPI 3.1 is valid; {checked} examples satisfy their schemas")
