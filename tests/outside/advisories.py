"""Crates of Cargo.lock with known vulnerabilities, by RustSec's advisory database.

The database is a folder named by --db or HEADWAY_ADVISORY_DB, or else cloned into target/advisory-db, at most once a day.
Where it cannot be had that is said, and nothing fails: a machine without a network still tests. Advisories that do not touch us
are named with a reason under [advisories] in deny.toml, which cargo-deny reads as well.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = "https://github.com/RustSec/advisory-db"
DAY_S = 24 * 60 * 60


def fetched():
    """A clone that is at most a day old, or nothing."""
    place = ROOT / "target/advisory-db"
    stamp = place / ".git/FETCH_HEAD"
    if stamp.exists() and time.time() - stamp.stat().st_mtime < DAY_S:
        return place
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 60}
    quiet["env"] = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        if not place.exists():
            subprocess.run(["git", "clone", "--depth", "1", SOURCE, str(place)], check=True, **quiet)
        subprocess.run(["git", "-C", str(place), "pull", "--ff-only"], check=True, **quiet)
    except (OSError, subprocess.SubprocessError):
        return place if (place / "crates").is_dir() else None
    return place


def number(version):
    """A version to compare by: a release stands behind its pre-releases."""
    version = version.split("+")[0]
    core, _, before = version.partition("-")
    parts = [int(it) for it in core.split(".")]
    parts += [0] * (3 - len(parts))
    marks = [(0, int(it), "") if it.isdigit() else (1, 0, it) for it in before.split(".")] if before else []
    return (parts, not before, marks)


def bumped(parts, at):
    return [it + (index == at) if index <= at else 0 for index, it in enumerate(parts)]


def meets(version, requirement):
    """Whether a version meets all of `>= 1.2, < 2`, as Cargo reads it."""
    return all(one(version, it.strip()) for it in requirement.split(","))


def one(version, requirement):
    sign, text = re.match(r"(>=|<=|>|<|=|\^|~)?\s*(.*)", requirement).groups()
    if text == "*":
        return True
    given = [it for it in text.split("-")[0].split("+")[0].split(".") if it != "*"]
    least, this = number(text.replace(".*", "")), number(version)
    match sign or "^":
        case ">=":
            return this >= least
        case "<=":
            return this <= least
        case ">":
            return this > least
        case "<":
            return this < least
        case "=":
            return this == least if len(given) == 3 else this[0][: len(given)] == least[0][: len(given)]
        case "~":
            at = min(len(given), 2) - 1
        case "^":
            at = next((index for index, it in enumerate(least[0][: len(given)]) if it), len(given) - 1)
    return least <= this and this[0] < bumped(least[0], at)


def advisories(place):
    for path in sorted((place / "crates").glob("*/RUSTSEC-*.md")):
        front = re.search(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.S)
        if front:
            yield tomllib.loads(front.group(1))


def ignored():
    deny = tomllib.loads((ROOT / "deny.toml").read_text())
    named = deny.get("advisories", {}).get("ignore", [])
    return {it if isinstance(it, str) else it["id"] for it in named}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--db", type=pathlib.Path, default=os.environ.get("HEADWAY_ADVISORY_DB"))
    arguments.add_argument("--lock", type=pathlib.Path, default=ROOT / "Cargo.lock")
    asked = arguments.parse_args()
    place = pathlib.Path(asked.db) if asked.db else fetched()
    if place is None:
        print(f"advisories are not checked: {SOURCE} cannot be reached; name a copy of it in HEADWAY_ADVISORY_DB")
        return 0
    packages = {}
    for it in tomllib.loads(asked.lock.read_text())["package"]:
        packages.setdefault(it["name"], []).append(it["version"])
    known, accepted, worst, count = ignored(), [], [], 0
    for advisory in advisories(place):
        about, versions = advisory["advisory"], advisory.get("versions", {})
        count += 1
        if "withdrawn" in about:
            continue
        safe = versions.get("patched", []) + versions.get("unaffected", [])
        for version in packages.get(about["package"], []):
            if any(meets(version, it) for it in safe):
                continue
            told = f"{about['id']} {about['package']} {version}"
            if about["id"] in known:
                accepted.append(told)
            elif "informational" in about:
                print(f"note: {told}: {about['informational']}")
            else:
                worst.append(f"{told}: {about.get('url', '')}")
    print(f"{count} advisories against {sum(map(len, packages.values()))} crates: {len(worst)} vulnerable, {len(accepted)} accepted")
    print(*worst, sep="\n", end="\n" if worst else "")
    return 1 if worst or not count else 0


if __name__ == "__main__":
    sys.exit(main())
