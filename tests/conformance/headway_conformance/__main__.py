"""python3 -m headway_conformance --url … --token … --feed … --urn …"""

from __future__ import annotations

import argparse
import datetime
import os
import sys

from . import checks, report
from .client import Client
from .kit import CHECKS, Kit


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="headway_conformance", description=__doc__)
    parser.add_argument("--url", required=True, help="where Headway is: https://headway.example")
    parser.add_argument("--token", default=os.environ.get("HEADWAY_TOKEN"), help="a token with records:write (or HEADWAY_TOKEN)")
    parser.add_argument("--feed", required=True, help="id of a feed this token pushes into, for enrolments and registers")
    parser.add_argument("--urn", required=True, help="a school of that feed")
    parser.add_argument("--trust", help="id of the trust, for the change feed")
    parser.add_argument("--read-token", default=os.environ.get("HEADWAY_READ_TOKEN"), help="a token with records:read, for the change feed")
    parser.add_argument("--ukprn", help="the same school's UKPRN")
    parser.add_argument("--laestab", help="the same school's LAESTAB")
    parser.add_argument("--superseded-urn", help="a URN that a school of the feed had before")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS", help="how long a batch may take to settle (default: %(default)s)")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="run checks whose id begins so; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the checks and end")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    parser.add_argument("--junit", metavar="FILE", help="write the report as JUnit XML")
    return parser.parse_args()


def cleaned(kit: Kit) -> list[str]:
    try:
        return kit.clean()
    except Exception as error:
        return [f"pupils whose ids begin with {kit.prefix}: {error}"]


def main() -> int:
    if "--list" in sys.argv:
        print("\n".join(f"{it.id:<34} {it.promise}" for it in CHECKS))
        return 0
    given = arguments()
    if not given.token:
        print("give a token: --token, or HEADWAY_TOKEN in the environment", file=sys.stderr)
        return 2
    numbers = {"ukprn": given.ukprn, "laestab": given.laestab, "superseded": given.superseded_urn}
    kit = Kit(
        Client(given.url, given.token, given.patience),
        given.feed,
        given.urn,
        given.trust,
        given.read_token,
        {name: number for name, number in numbers.items() if number},
    )
    try:
        known = kit.client.get(f"/v1/feeds/{given.feed}")
    except OSError as error:
        print(f"{given.url} does not answer: {error}", file=sys.stderr)
        return 2
    if known.status != 200:
        print(f"the feed cannot be read ({known.status}): {known.body.decode(errors='replace')[:500]}", file=sys.stderr)
        return 2
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    about = {"kit": "headway-conformance 1", "url": given.url, "feed": given.feed, "urn": given.urn,
             "pupils": kit.prefix, "startedAt": started}
    chosen = [it for it in CHECKS if not given.only or any(it.id.startswith(only) for only in given.only)]
    outcomes = []
    try:
        for it in chosen:
            outcomes.append(kit.run(it))
            print(report.line(outcomes[-1]), flush=True)
    finally:
        left = cleaned(kit)
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"\n== {outcome.check.id}\n{report.evidence(outcome)}")
    counts = report.summary(outcomes)
    print(f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    for problem in left:
        print(f"not cleaned up: {problem}", file=sys.stderr)
    for path, text in ((given.json, report.as_json), (given.junit, report.as_junit)):
        if path:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text(about, outcomes))
    return 1 if counts["failed"] or left or not outcomes else 0


if __name__ == "__main__":
    assert checks
    sys.exit(main())
