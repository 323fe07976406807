"""Tries the kit itself: it passes a right server, finds each fault of a wrong one, and reports in every form.

    python3 try_kit.py --url … --token … --feed … --urn …

takes the same arguments as the kit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

from wrong_server import WrongServer, rules

HERE = Path(__file__).parent


def run(arguments: list[str], url: str, *more: str) -> tuple[int, dict, str, str]:
    """The kit's exit code, its JSON and JUnit reports, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/report.json", f"{folder}/report.xml"]
        command = [sys.executable, "-m", "headway_conformance", *arguments, "--url", url, *more]
        done = subprocess.run(
            [*command, "--json", files[0], "--junit", files[1]], cwd=HERE, capture_output=True, text=True, timeout=600
        )
        report = json.loads(Path(files[0]).read_text()) if Path(files[0]).exists() else {}
        junit = Path(files[1]).read_text() if report else ""
        return done.returncode, report, junit, done.stdout + done.stderr


def states(report: dict) -> dict[str, str]:
    return {it["id"]: it["state"] for it in report["checks"]}


def main() -> None:
    arguments = sys.argv[1:]
    at = arguments.index("--url")
    url = arguments[at + 1]
    del arguments[at : at + 2]
    token = arguments[arguments.index("--token") + 1]

    code, report, junit, said = run(arguments, url)
    failed = [name for name, state in states(report).items() if state == "failed"]
    assert code == 0 and not failed, f"a right server fails {failed}:\n{said}"
    assert token not in said + json.dumps(report) + junit, "a report holds the token"
    cases = xml.fromstring(junit).findall("testcase")
    assert len(cases) == len(report["checks"]) and not xml.fromstring(junit).findall(".//failure")
    right = states(report)
    print(f"a right server: {report['summary']}")

    for name, (before, after, check) in rules(token).items():
        assert right[check] == "passed", f"{check} passes a right server"
        with WrongServer(url, before, after) as wrong:
            code, report, junit, said = run(arguments, wrong.url, "--only", check, "--patience", "3")
        assert code == 1, f"a server that {name} is passed by {check}:\n{said}"
        assert states(report)[check] == "failed", f"a server that {name} fails something else:\n{said}"
        (failure,) = xml.fromstring(junit).findall(".//failure")
        assert "--- request 1" in failure.text and "--- response 1" in failure.text, "the evidence"
        assert token not in said + junit, "a report holds the token"
        print(f"a server that {name}: found by {check}: {failure.get('message')}")


if __name__ == "__main__":
    main()
