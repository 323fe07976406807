"""What checks are made of: a registry of them, what they may ask for, and how they say that something is wrong."""

from __future__ import annotations

import datetime
import secrets
import time
import traceback
from dataclasses import dataclass, field
from typing import Callable

from .client import Answer, Client, Exchange, Unsettled

OUTCOMES = ("accepted", "unchanged", "corrected", "parked", "rejected")


class Wrong(AssertionError):
    """The deployment does not do what the contract says."""


class Skip(Exception):
    """The check needs something that was not given."""


@dataclass
class Check:
    id: str
    promise: str
    run: Callable[["Kit"], None]


CHECKS: list[Check] = []


def check(id: str, promise: str):
    """Registers a check under an id that reports and `--only` use, with the promise it holds the deployment to."""

    def register(run):
        CHECKS.append(Check(id, promise, run))
        return run

    return register


@dataclass
class Outcome:
    check: Check
    state: str
    seconds: float
    detail: str = ""
    exchanges: list[Exchange] = field(default_factory=list)


def is_past(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text) <= datetime.date.today()
    except ValueError:
        return False


def expect(condition, message: str):
    if not condition:
        raise Wrong(message)


def equal(found, expected, what: str):
    expect(found == expected, f"{what}: expected {expected!r}, found {found!r}")


@dataclass
class Kit:
    """A deployment under examination, and all that is made there, so that it can be taken away again."""

    client: Client
    feed: str
    urn: str
    trust: str | None = None
    read_token: str | None = None
    numbers: dict[str, str] = field(default_factory=dict)
    prefix: str = field(default_factory=lambda: f"conf-{secrets.token_hex(4)}")
    pupils: list[str] = field(default_factory=list)
    enrolments: set[tuple[str, str]] = field(default_factory=set)
    marks: set[tuple[str, str, str]] = field(default_factory=set)
    made: int = 0

    def __post_init__(self):
        today = datetime.date.today()
        # A school day that is surely over.
        self.day = today - datetime.timedelta(days=7 + today.weekday())
        self.date = self.day.isoformat()
        year = self.day.year if self.day.month >= 9 else self.day.year - 1
        self.term_start = f"{year}-09-01"
        if self.date < self.term_start:
            self.term_start = self.date

    @property
    def path(self) -> str:
        return f"/v1/feeds/{self.feed}/batches"

    def pupil(self) -> str:
        """An id no pupil has."""
        self.made += 1
        pupil = f"{self.prefix}-{self.made}"
        self.pupils.append(pupil)
        return pupil

    def enrolment(self, pupil: str, **change) -> dict:
        body = {"urn": self.urn, "pupil": pupil, "yearGroup": 4, "startsOn": self.term_start, **change}
        if is_past(body["startsOn"]):
            self.enrolments.add((pupil, body["startsOn"]))
        return {"externalId": f"enr-{pupil}", "enrolment": body}

    def register(self, marks: dict[str, str], gone=(), **change) -> dict:
        """A register of codes by pupil; of those `gone` the mark is taken back."""
        listed = [{"pupil": pupil, "code": code} for pupil, code in marks.items()]
        listed += [{"pupil": pupil, "deleted": True} for pupil in gone]
        body = {"urn": self.urn, "date": self.date, "session": "AM", "marks": listed, **change}
        for mark in body["marks"] if is_past(body["date"]) and body["session"] in ("AM", "PM") else ():
            self.marks.add((body["date"], body["session"], mark["pupil"]))
        return {"externalId": f"reg-{self.prefix}-{len(self.marks)}", "attendanceRegister": body}

    def push(self, *records, query="", headers=None) -> dict:
        """Pushes records that must be taken, and gives the batch once it is settled."""
        answer = self.client.post(self.path + query, {"records": list(records)}, headers=headers)
        return self.taken(answer)

    def taken(self, answer: Answer) -> dict:
        equal(answer.status, 202, "the status of a push")
        batch = self.client.settled(answer)
        if batch["state"] != "BATCH_STATE_VALIDATED" or "records" in batch:
            total = sum(batch.get(it, 0) for it in OUTCOMES)
            equal(total, batch["records"], "accepted, unchanged, corrected, parked and rejected together")
        return batch

    def counts(self, batch: dict, **expected):
        for outcome in OUTCOMES:
            equal(batch.get(outcome, 0), expected.get(outcome, 0), f"`{outcome}` of the batch")

    def results(self, batch: dict, query="") -> list[dict]:
        """All results, by following `nextPageToken` to the end."""
        found, token = [], None
        path = f"/v1/batches/{batch['batchId']}/results?{query}"
        for _ in range(1000):
            page = self.client.get(path + (f"&pageToken={token}" if token else ""))
            equal(page.status, 200, "the status of a page of results")
            found += page.json().get("results", [])
            token = page.json().get("nextPageToken")
            if not token:
                return found
        raise Wrong("the list of results does not end")

    def refused(self, answer: Answer, status: int, reason: str | None = None) -> dict:
        """A problem document (RFC 9457), whole."""
        equal(answer.status, status, "the status of the refusal")
        equal(answer.media_type, "application/problem+json", "the media type of a refusal")
        problem = answer.json()
        for member in ("type", "title", "status", "detail", "reason", "errors", "requestId"):
            expect(member in problem, f"the problem document lacks `{member}`")
        equal(problem["status"], status, "`status` in the problem document")
        for error in problem["errors"]:
            for member in ("pointer", "code", "detail", "accepted"):
                expect(member in error, f"an entry of `errors` lacks `{member}`")
        if reason:
            equal(problem["reason"], reason, "`reason`")
        return problem

    def run(self, chosen: Check) -> Outcome:
        self.client.exchanges.clear()
        started = time.monotonic()
        try:
            chosen.run(self)
            state, detail = "passed", ""
        except Skip as skip:
            state, detail = "skipped", str(skip)
        except (Wrong, Unsettled) as wrong:
            state, detail = "failed", str(wrong)
        except Exception:
            state, detail = "failed", "the answer could not be understood:\n" + traceback.format_exc(limit=3)
        exchanges = list(self.client.exchanges) if state == "failed" else []
        return Outcome(chosen, state, time.monotonic() - started, detail, exchanges)

    def clean(self) -> list[str]:
        """Takes back every mark and enrolment that was made; says of what is left."""
        registers: dict[tuple[str, str], list[str]] = {}
        for date, session, pupil in sorted(self.marks):
            registers.setdefault((date, session), []).append(pupil)
        records = [
            {"externalId": f"clean-{date}-{session}", "attendanceRegister": {
                "urn": self.urn, "date": date, "session": session,
                "marks": [{"pupil": it, "deleted": True} for it in pupils]}}
            for (date, session), pupils in registers.items()
        ]
        records += [
            {"externalId": f"clean-{pupil}-{start}", "enrolment": {
                "urn": self.urn, "pupil": pupil, "yearGroup": 4, "startsOn": start, "deleted": True}}
            for pupil, start in sorted(self.enrolments)
        ]
        left = []
        for at in range(0, len(records), 500):
            answer = self.client.post(self.path, {"records": records[at : at + 500]})
            if answer.status != 202:
                left.append(f"the push that takes records back was answered {answer.status}")
                continue
            rejected = self.client.settled(answer).get("rejected", 0)
            if rejected:
                left.append(f"{rejected} records that take records back were rejected")
        return left
