"""What was found: for people, for programs (JSON), and for whatever files test results (JUnit XML)."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml

from .kit import Outcome

MARK = {"passed": "pass", "failed": "FAIL", "skipped": "skip"}
# What XML 1.0 can hold.
SPEAKABLE = {*range(0x20, 0xD800), *range(0xE000, 0xFFFE), 0x9, 0xA, 0xD}


def summary(outcomes: list[Outcome]) -> dict[str, int]:
    return {state: sum(it.state == state for it in outcomes) for state in MARK}


def line(outcome: Outcome) -> str:
    text = f"{MARK[outcome.state]}  {outcome.check.id:<34} {outcome.check.promise}"
    if outcome.detail:
        text += "".join(f"\n      {it}" for it in outcome.detail.splitlines())
    return text


def evidence(outcome: Outcome) -> str:
    parts = []
    for number, exchange in enumerate(outcome.exchanges, 1):
        parts.append(f"--- request {number}\n{exchange.request}\n--- response {number}\n{exchange.response}")
    return "\n".join(parts)


def as_json(about: dict, outcomes: list[Outcome]) -> str:
    checks = [
        {
            "id": it.check.id,
            "promise": it.check.promise,
            "state": it.state,
            "seconds": round(it.seconds, 3),
            "detail": it.detail,
            "exchanges": [{"request": e.request, "response": e.response} for e in it.exchanges],
        }
        for it in outcomes
    ]
    return json.dumps({**about, "summary": summary(outcomes), "checks": checks}, indent=2)


def as_junit(about: dict, outcomes: list[Outcome]) -> str:
    counts = summary(outcomes)
    suite = xml.Element(
        "testsuite",
        name="headway-conformance",
        tests=str(len(outcomes)),
        failures=str(counts["failed"]),
        skipped=str(counts["skipped"]),
        errors="0",
        time=f"{sum(it.seconds for it in outcomes):.3f}",
        timestamp=about["startedAt"],
        hostname=about["url"],
    )
    for it in outcomes:
        group = it.check.id.split(".")[0]
        case = xml.SubElement(
            suite, "testcase", classname=f"headway.{group}", name=it.check.id, time=f"{it.seconds:.3f}"
        )
        if it.state == "skipped":
            xml.SubElement(case, "skipped", message=it.detail)
        if it.state == "failed":
            failure = xml.SubElement(case, "failure", message=_speakable(it.detail.splitlines()[0]))
            failure.text = _speakable(f"{it.check.promise}\n{it.detail}\n{evidence(it)}")
    return xml.tostring(suite, encoding="unicode", xml_declaration=True)


def _speakable(text: str) -> str:
    return "".join(it if ord(it) in SPEAKABLE else "\ufffd" for it in text)
