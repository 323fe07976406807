"""Checks a Headway journal with nothing of Headway's: the standard library and one package for Ed25519.

    verify_journal.py export FILE --key VKEY [--key VKEY]        the lines of `headway journal export`
    verify_journal.py proof FILE --key VKEY                      what `headway journal prove` prints
    verify_journal.py certificate FILE --key VKEY                the note of a certificate of erasure
    verify_journal.py server URL SERVICE --key VKEY [--since NOTEFILE]
                                                                 a running server; HEADWAY_TOKEN holds a token

VKEY is a verifier key (name+id+key) that you got from the operator by a way you trust, and pinned. With --since a
checkpoint that you kept from earlier is proved to be the beginning of what the server has now. What is checked, and
every byte that is hashed, is in docs/journal/proof.md. Exit 0: everything holds. Exit 1: something does not; the
line says what.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """Something does not hold."""


def check(holds, what):
    if not holds:
        raise Refused(what)


def sha256(data):
    return hashlib.sha256(data).digest()


# --- Events -------------------------------------------------------------------------------------------------------

INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)")


def micros(text):
    """Microseconds since 1970, exactly."""
    found = INSTANT.fullmatch(text)
    check(found, f"not an instant in UTC: {text}")
    *parts, fraction = found.groups()
    whole = datetime(*map(int, parts), tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    fraction = (fraction or "").ljust(9, "0")
    check(fraction.endswith("000"), f"finer than a microsecond: {text}")
    return (whole.days * 86400 + whole.seconds) * 1_000_000 + int(fraction[:6])


def parts(*values):
    """Each part preceded by its length as eight bytes."""
    return b"".join(len(it).to_bytes(8, "big") + it for it in values)


def identifier(text):
    return uuid.UUID(text).bytes if text else b""


def content_hash(event):
    return sha256(parts(
        identifier(event["trustId"]),
        identifier(event["eventId"]),
        event["stream"].encode(),
        int(event["version"]).to_bytes(4, "big"),
        event["type"].encode(),
        base64.b64decode(event.get("data", ""), validate=True),
        event.get("effectiveOn", "").encode(),
        identifier(event.get("corrects")),
        event["actor"].encode(),
    ))


def leaf_hash(shown):
    """The leaf of an event; `shown` holds the event and where it stands."""
    event = shown["event"]
    return sha256(b"\0" + parts(
        int(shown["logPosition"]).to_bytes(8, "big"),
        identifier(event["trustId"]),
        int(shown["trustPosition"]).to_bytes(8, "big"),
        identifier(event["eventId"]),
        event["stream"].encode(),
        int(event["version"]).to_bytes(4, "big"),
        event["type"].encode(),
        event.get("effectiveOn", "").encode(),
        micros(event["recordedAt"]).to_bytes(8, "big"),
        identifier(event.get("corrects")),
        event["actor"].encode(),
        identifier(event["correlationId"]),
        identifier(event.get("causationId")),
        content_hash(event),
    ))


# --- The tree (RFC 9162, section 2.1) -------------------------------------------------------------------------------


def node(left, right):
    return sha256(b"\1" + left + right)


class Frontier:
    """A tree that grows leaf by leaf and keeps only its complete subtrees."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def push(self, leaf):
        at = self.size
        while at & 1:
            leaf, at = node(self.peaks.pop(), leaf), at >> 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self):
        if not self.peaks:
            return sha256(b"")
        *rest, root = self.peaks
        for left in reversed(rest):
            root = node(left, root)
        return root


def climb(at, last):
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def check_inclusion(leaf, index, size, proof, root):
    """RFC 9162, 2.1.3.2."""
    check(0 <= index < size, f"leaf {index} lies beyond the tree of size {size}")
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        check(last, "the inclusion proof is too long")
        if at & 1 or at == last:
            found = node(sibling, found)
            at, last = climb(at, last)
        else:
            found = node(found, sibling)
        at, last = at >> 1, last >> 1
    check(last == 0, "the inclusion proof is too short")
    check(found == root, "the inclusion proof does not lead to the signed root")


def check_consistency(first, first_root, second, second_root, proof):
    """RFC 9162, 2.1.4.2."""
    check(0 < first <= second, f"a tree of {first} cannot be the beginning of one of {second}")
    if first == second:
        check(first_root == second_root and not proof, f"two roots were signed for size {first}")
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    check(path, "the consistency proof is too short")
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        check(last, "the consistency proof is too long")
        if at & 1 or at == last:
            old, new = node(sibling, old), node(sibling, new)
            at, last = climb(at, last)
        else:
            new = node(new, sibling)
        at, last = at >> 1, last >> 1
    check(last == 0, "the consistency proof is too short")
    check(old == first_root and new == second_root, "the consistency proof does not lead to both signed roots")


# --- Checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint) ----------------------------------------------------


class Key:
    def __init__(self, vkey):
        self.name, number, encoded = vkey.split("+", 2)
        encoded = base64.b64decode(encoded, validate=True)
        check(len(encoded) == 33 and encoded[0] == 1, f"not an Ed25519 verifier key: {vkey}")
        self.id = sha256(self.name.encode() + b"\n" + encoded)[:4]
        check(self.id.hex() == number, f"the key id of {vkey} does not belong to its key")
        self.public = Ed25519PublicKey.from_public_bytes(encoded[1:])


def open_text(note, keys):
    """The text of a note, once a pinned key has signed it."""
    text, blank, signatures = note.rpartition("\n\n")
    check(blank and signatures.endswith("\n"), "not a signed note")
    text += "\n"
    signed = False
    for line in signatures[:-1].split("\n"):
        check(line.startswith("\u2014 ") and line.count(" ") == 2, "not a signed note")
        _, name, signature = line.split(" ")
        signature = base64.b64decode(signature, validate=True)
        for key in keys:
            if key.name == name and key.id == signature[:4]:
                try:
                    key.public.verify(signature[4:], text.encode())
                except InvalidSignature:
                    raise Refused("the signature of the checkpoint is not valid") from None
                signed = True
    check(signed, "the checkpoint is not signed by a pinned key")
    return text


def open_note(note, keys):
    """What a checkpoint says, once a pinned key has signed it: origin, size, root."""
    lines = open_text(note, keys).split("\n")
    check(len(lines) >= 4 and re.fullmatch(r"0|[1-9]\d*", lines[1]), "the note does not hold a checkpoint")
    origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
    check(origin in {key.name for key in keys}, f"the checkpoint is of another log: {origin}")
    check(len(root) == 32, "the note does not hold a checkpoint")
    return origin, size, root


def open_checkpoint(checkpoint, keys):
    origin, size, root = open_note(checkpoint["note"], keys)
    check(size == int(checkpoint["size"]), "the checkpoint says another size than its note")
    check(root == base64.b64decode(checkpoint["root"]), "the checkpoint says another root than its note")
    return size, root


def hashes(proof):
    found = [base64.b64decode(it, validate=True) for it in proof.get("hashes", [])]
    check(all(len(it) == 32 for it in found), "the proof holds something that is no hash")
    return found


# --- What can be checked ----------------------------------------------------------------------------------------------


def check_proof(proof, keys):
    size, root = open_checkpoint(proof["checkpoint"], keys)
    index = int(proof.get("leafIndex", 0))
    check(index == int(proof["logPosition"]) - 1, "the leaf's index is not that of the event's position")
    check_inclusion(leaf_hash(proof), index, size, hashes(proof), root)
    return size


def check_certificate(note, keys):
    """A certificate of erasure: one fact a line, signed by the keys of the journal it names."""
    lines = open_text(note, keys).split("\n")
    check(lines[0] == "headway erasure certificate v1", "the note is no certificate of erasure")
    facts = dict(it.split(" ", 1) for it in lines[1:-1] if not it.startswith("rows "))
    check(facts["journal"] in {key.name for key in keys}, f"it is of another journal: {facts['journal']}")
    rows = [it.split(" ") for it in lines if it.startswith("rows ")]
    check(rows and all(int(count) > 0 for _, _, count in rows), "nothing was erased")
    return facts, sum(int(count) for _, _, count in rows)


def check_export(lines, keys):
    """Reads line by line and keeps no event; gives the numbers of events and checkpoints."""
    tree, checkpoints, trusts, end, opened = Frontier(), 0, {}, None, False
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
            check(end is None, "something follows the end")
            if "event" in value:
                position = int(value["logPosition"])
                check(position == tree.size + 1, f"position {tree.size + 1} is missing")
                check(int(value["event"]["position"]) == position, "the event says another position")
                trust = value["event"]["trustId"]
                trusts[trust] = trusts.get(trust, 0) + 1
                check(int(value["trustPosition"]) == trusts[trust], "the positions of a trust are not dense")
                tree.push(leaf_hash(value))
            elif "checkpoint" in value:
                size, root = open_checkpoint(value["checkpoint"], keys)
                check(size == tree.size, f"the checkpoint of size {size} stands after {tree.size} events")
                check(root == tree.root(), f"the first {size} events are not those that were signed")
                checkpoints += 1
            elif "end" in value:
                end = int(value["end"]["events"]), int(value["end"]["checkpoints"])
            else:
                check("journal" in value and number == 1, "a line that is none of an export")
                opened = True
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise Refused(f"line {number} cannot be read: {error!r}") from None
        except Refused as error:
            raise Refused(f"line {number}: {error}") from None
    check(opened, "the first line is missing")
    check(end == (tree.size, checkpoints), "the export was cut short")
    check(checkpoints or not tree.size, "the export holds no checkpoint to check its events against")
    return tree.size, checkpoints


class Server:
    def __init__(self, url, service, token):
        self.base, self.token = f"{url.rstrip('/')}/v1/journals/{service}", token

    def get(self, path, **query):
        url = f"{self.base}/{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers={"authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def check_server(server, keys, since):
    """Follows the log as a platform credential sees it, up to the newest checkpoint, with a proof of each event."""
    checkpoint = server.get("checkpoint")
    size, root = open_checkpoint(checkpoint, keys)
    if since:
        _, first, first_root = open_note(since, keys)
        proof = server.get("consistency-proof", first=first, second=size)
        check_consistency(first, first_root, size, root, hashes(proof))
    tree = Frontier()
    while tree.size < size:
        events = server.get("events", after=tree.size, pageSize=500)["events"]
        check(events, f"position {tree.size + 1} is missing")
        for event in events[:size - tree.size]:
            position = int(event["position"])
            check(position == tree.size + 1, f"position {tree.size + 1} is missing")
            # The list does not say the trust's own position: the proof does, and the root holds it to it.
            proof = server.get("inclusion-proof", position=position, size=size)
            check(proof["event"] == event, f"position {position} is shown in two ways")
            check_proof(proof, keys)
            tree.push(leaf_hash(proof))
    check(tree.root() == root, f"the first {size} events are not those that were signed")
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in [("export", ["file"]), ("proof", ["file"]), ("certificate", ["file"]), ("server", ["url", "service"])]:
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument)
        command.add_argument("--key", action="append", required=True, help="a verifier key that you pinned")
        if name == "server":
            command.add_argument("--since", help="file with a note that you kept")
    asked = parser.parse_args()
    try:
        keys = [Key(it) for it in asked.key]
        if asked.command == "export":
            with open(asked.file, encoding="utf-8") as lines:
                events, checkpoints = check_export(lines, keys)
            print(f"{events} events and {checkpoints} checkpoints hold")
        elif asked.command == "proof":
            with open(asked.file, encoding="utf-8") as text:
                size = check_proof(json.load(text), keys)
            print(f"the event is in the log of size {size}")
        elif asked.command == "certificate":
            with open(asked.file, encoding="utf-8") as text:
                facts, rows = check_certificate(text.read(), keys)
            print(f"erasure {facts['erasure']} of {rows} rows is certified")
        else:
            since = open(asked.since, encoding="utf-8").read() if asked.since else None
            size = check_server(Server(asked.url, asked.service, os.environ["HEADWAY_TOKEN"]), keys, since)
            print(f"{size} events hold" + (", and what was kept is their beginning" if since else ""))
    except Refused as error:
        sys.exit(f"refused: {error}")
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        sys.exit(f"refused: it cannot be read: {error!r}")
    except OSError as error:
        sys.exit(f"refused: {error}")


if __name__ == "__main__":
    main()
