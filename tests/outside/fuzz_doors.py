"""Bad input at every door of a running server, made by its structure: nothing is answered with 5xx, a refusal names the place,
the server's memory stays bounded, and a good push is taken afterwards.

    python3 fuzz_doors.py --url … --token … --feed … --urn … --pid PID [--seconds 20] [--seed 1] [--memory-mib 300]
"""

import argparse
import copy
import gzip
import http.client
import io
import json
import random
import re
import socket
import time
import urllib.parse
import zipfile
import zlib

import grpc

PLACE = re.compile(r"archive|bundle|line \d|row \d|column|byte|UTF-8|header|records?\b|body|object|must hold|entry|file|\bempty\b", re.I)
MEDIA = ["application/json", "application/x-ndjson", "text/csv"]
MIB = 1 << 20
CLOSED = b'{"errors": [], "detail": "closed before the line ended"}'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "token", "feed", "urn", "pid"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory-mib", type=int, default=300)
    return parser.parse_args()


class Doors:
    def __init__(self, given):
        self.given = given
        parts = urllib.parse.urlsplit(given.url)
        self.host, self.port = parts.hostname, parts.port
        self.path = f"/v1/feeds/{given.feed}/batches"
        self.sent = 0
        self.seen = {}

    def post(self, body, media, query="", **headers):
        """One push; gives status and body of the answer, which is checked."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        headers = {"authorization": f"Bearer {self.given.token}", "content-type": media, **headers}
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            try:
                connection.request("POST", self.path + query, body, headers)
            except (BrokenPipeError, ConnectionResetError):
                # It was refused before it was sent; the answer is there all the same, unless the closing overtook it.
                pass
            try:
                response = connection.getresponse()
                status, answer = response.status, response.read()
            except (ConnectionResetError, http.client.RemoteDisconnected, http.client.CannotSendRequest, http.client.ResponseNotReady):
                assert len(body) > MIB, f"{media} {body[:200]!r} was not answered"
                status, answer = 413, CLOSED
        finally:
            connection.close()
        self.check(f"{media} {body[:200]!r}", status, answer)
        return status, answer

    def check(self, what, status, answer):
        self.sent += 1
        self.seen[status] = self.seen.get(status, 0) + 1
        assert status < 500, f"{what} was answered {status}: {answer[:500]!r}"
        if status == 202:
            return
        problem = json.loads(answer)
        if status not in (400, 413):
            return
        placed = any(it["pointer"] is not None for it in problem["errors"]) or PLACE.search(problem["detail"])
        assert placed, f"{what}: the refusal names no place: {problem}"

    def memory(self, field="VmHWM"):
        with open(f"/proc/{self.given.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024

    # Whole bodies

    def register(self, chance):
        marks = [{"pupil": f"Z{chance.randrange(50)}", "code": chance.choice("/\\LIN?")} for _ in range(chance.randrange(6))]
        body = {"urn": self.given.urn, "date": "2026-10-05", "session": chance.choice(["AM", "PM"]), "marks": marks}
        return {"externalId": f"r{chance.randrange(9)}", "attendanceRegister": body}

    def enrolment(self, chance):
        body = {"urn": self.given.urn, "pupil": f"Z{chance.randrange(50)}", "yearGroup": chance.randrange(-3, 16), "startsOn": "2026-09-01"}
        return {"externalId": f"e{chance.randrange(9)}", "enrolment": body}

    def good(self, chance, media):
        records = [chance.choice([self.register, self.enrolment])(chance) for _ in range(chance.randrange(1, 5))]
        if media == MEDIA[0]:
            return json.dumps({"records": records}).encode()
        if media == MEDIA[1]:
            return b"".join(json.dumps(it).encode() + chance.choice([b"\n", b"\r\n", b"\n\n"]) for it in records)
        rows = [f"m{it},{self.given.urn},2026-10-05,AM,Z{it},{chance.choice('/LI?')}" for it in range(4)]
        return ("external_id,urn,date,session,pupil,code\n" + "\n".join(rows)).encode()

    def spoiled(self, chance, media):
        """A good body with a few things wrong: in its values, in its structure, or in its bytes."""
        body = self.good(chance, media)
        if media == MEDIA[0] and chance.random() < 0.5:
            value = json.loads(body)
            for _ in range(chance.randrange(1, 4)):
                spoil(chance, value)
            return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        body = bytearray(body)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(body) + 1)
            end = min(len(body), at + chance.randrange(1, 9))
            piece = chance.choice(PIECES)
            chance.choice([
                lambda: body.__setitem__(slice(at, at), piece),
                lambda: body.__setitem__(slice(at, end), b""),
                lambda: body.__setitem__(slice(at, end), piece),
                lambda: body.__setitem__(slice(at, at), bytes(body[at:end]) * 50),
            ])()
        return bytes(body)

    def random_bodies(self):
        chance = random.Random(self.given.seed)
        end = time.monotonic() + self.given.seconds
        while time.monotonic() < end:
            media = chance.choice(MEDIA)
            body = self.spoiled(chance, media)
            query = chance.choice(["", "?dry_run=true", "?dry_run=true", "?dry_run=perhaps", "?x=%ff"])
            claimed = media if chance.random() < 0.9 else chance.choice([*MEDIA, "application/zip", "text/plain", "x", ""])
            if chance.random() < 0.1:
                packed = gzip.compress(body)
                cut = chance.randrange(len(packed)) if chance.random() < 0.5 else len(packed)
                self.post(packed[:cut], claimed, query, content_encoding="gzip")
            else:
                self.post(body, claimed, query)

    # Bodies made to hurt

    def hostile_bodies(self):
        record = json.dumps(self.enrolment(random.Random(0))).encode()
        marks = b",".join([b'{"pupil": "Z1", "code": "/"}'] * 300_000)
        columns = ",".join(["external_id", "pupil", *(f"c{it}" for it in range(9_998))]).encode()
        for media, body in [
            *((media, body) for media in MEDIA for body in (b"", b"\0", b"\xff" * 1000, b"\xef\xbb\xbf", b"[" * MIB, b'{"a":' * MIB, b"9" * MIB, b'"' * MIB, b"\n" * MIB)),
            (MEDIA[0], b'{"records": [' + b'{"a":' * 100_000 + b"}" * 100_000 + b"]}"),
            (MEDIA[0], b'{"records": [' + b",".join([record] * 10_001) + b"]}"),
            (MEDIA[0], b'{"records": [{"attendanceRegister": {"marks": [' + marks + b"]}}]}"),
            (MEDIA[0], b'{"records": [{"externalId": "' + b"x" * (8 * MIB) + b'"}]}'),
            (MEDIA[0], b'{"records": [{"enrolment": {"yearGroup": ' + b"1" * 5000 + b"}}]}"),
            (MEDIA[0], b'{"records": [{"enrolment": {"yearGroup": 1e999}}]}'),
            (MEDIA[1], b"x" * (8 * MIB)),
            (MEDIA[1], (record + b"\n") * 10_001),
            (MEDIA[2], columns + b"\n" + b",".join([b"x"] * 10_000)),
            (MEDIA[2], b"external_id,pupil\n" + b",".join([b"x"] * 10_000)),
            (MEDIA[2], b'external_id,pupil\n"' + b"x" * (8 * MIB)),
            (MEDIA[2], b"external_id,pupil\n" + b"1,2\n" * 10_001),
            (MEDIA[2], "external_id,pupil\nx,\0\n".encode("utf-16")),
        ]:
            self.post(body, media, "?dry_run=true")
        for media in ("application/zip", "application/octet-stream", "multipart/form-data; boundary=x", "text/csv; charset=klingon"):
            for body in (b"PK\x03\x04", zip_bomb(), nested_zip(), b"PK\x05\x06" + b"\0" * 18):
                self.post(body, media, "?dry_run=true")

    def gzip_bombs(self):
        """Much in some KiB, of what each door would like to hold at once: 64 MiB, that it is read in seconds if it is read."""
        for media, unit in [(MEDIA[0], b" "), (MEDIA[1], b"x"), (MEDIA[1], b"\n"), (MEDIA[2], b","), (MEDIA[2], b'"')]:
            started = time.monotonic()
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            chunk = unit * (MIB // len(unit))
            packed = b"".join(packer.compress(chunk) for _ in range(64)) + packer.flush()
            status, _ = self.post(packed, media, content_encoding="gzip")
            assert status in (400, 413), f"a gzip bomb of {unit!r} as {media} was answered {status}"
            print(f"a gzip bomb of {unit!r} as {media}: {status} after {time.monotonic() - started:.1f} s", flush=True)
            twice = gzip.compress(packed)
            self.post(twice, media, content_encoding="gzip")
            self.post(twice, media, content_encoding="gzip, gzip")

    def endless_lines(self):
        """Two gibibytes without a line's end, sent as long as they are taken."""
        for media, start, rest in [
            (MEDIA[1], b'{"externalId": "', b"x"),
            (MEDIA[2], b'external_id,pupil\n1,"', b"x"),
            (MEDIA[0], b'{"records": [{"externalId": "', b"x"),
        ]:
            sent, status, answer = self.stream(media, start, rest * MIB, 2048)
            assert status in (400, 413), f"an endless line as {media} was answered {status}: {answer[:300]!r}"
            assert sent < 64 * MIB, f"{sent / MIB} MiB of an endless line as {media} were taken"
            self.check(f"an endless line as {media}", status, answer)

    def stream(self, media, start, chunk, times):
        """Sends a body in chunks until it is refused; gives bytes sent, status, and the answer."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.given.token}\r\n"
            f"content-type: {media}\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        connection = socket.create_connection((self.host, self.port), timeout=60)
        connection.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(start), start))
        sent = len(start)
        try:
            for _ in range(times):
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                sent += len(chunk)
        except OSError:
            pass
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except OSError:
            pass
        connection.close()
        # A peer that closes while we send may take its last words with it.
        if not answer.startswith(b"HTTP/1.1 "):
            return sent, 413, CLOSED
        return sent, int(answer[9:12]), answer.split(b"\r\n\r\n", 1)[1]

    def broken_requests(self):
        """What is no HTTP, or breaks off: the server answers in its own time or closes, and lives."""
        head = f"POST {self.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.given.token}\r\ncontent-type: application/json\r\n"
        for request in [
            head + "content-length: 100\r\n\r\n{",
            head + "content-length: 1\r\ncontent-length: 2\r\n\r\n{}",
            head + "content-length: -1\r\n\r\n",
            head + "transfer-encoding: chunked\r\n\r\nzz\r\n",
            head + "transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
            head + "transfer-encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n",
            head + "transfer-encoding: gzip\r\n\r\nxx",
            head + f"x: {'y' * 200_000}\r\n\r\n",
            "".join(f"{it}: x\r\n" for it in range(10_000)),
            "GET / HTTP/9.9\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0" * 1000,
            "\x16\x03\x01\x02\0",
        ]:
            connection = socket.create_connection((self.host, self.port), timeout=2)
            try:
                connection.sendall(request.encode("latin-1"))
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(65536)
                assert not answer.startswith(b"HTTP/1.1 5"), f"{request[:300]!r}: {answer[:300]!r}"
            except OSError:
                pass
            connection.close()

    def grpc_messages(self):
        """Bytes that are no message, and messages that hold no records, over the stream of pushes."""
        chance = random.Random(self.given.seed + 1)
        channel = grpc.insecure_channel(f"{self.host}:{self.port}", [("grpc.max_send_message_length", -1)])
        push = channel.stream_unary("/headway.intelligence.v1.IntelligenceService/PushRecords", bytes, bytes)
        feed = self.given.feed.encode()
        header = b"\x0a" + bytes([len(feed)]) + feed + b"\x10\x01"
        bodies = [
            [],
            [b""],
            [header],
            [header, b"\xff" * 100],
            [header, b"\x1a\xff\xff\xff\xff\x0f"],
            [header, b"\x1a" * 1000],
            [header] * 50,
            [header, b"\x1a\x02\x0a\x00" * 100_000],
            [header, b"\x0b" * 100_000],
            [header] + [b"\x1a\x00"] * 3,
            [header] + [b"x" * (4 * MIB)] * 20,
            *([header, chance.randbytes(chance.randrange(200))] for _ in range(300)),
        ]
        allowed = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE}
        for messages in bodies:
            self.sent += 1
            try:
                push(iter(messages), metadata=[("authorization", f"Bearer {self.given.token}")], timeout=60)
            except grpc.RpcError as error:
                # tonic says of bytes that are no message that they are its own fault.
                undecodable = error.code() is grpc.StatusCode.INTERNAL and "decode" in error.details()
                assert error.code() in allowed or undecodable, f"{messages[:2]!r:.200}: {error.code()} {error.details()}"
        channel.close()


def spoil(chance, value):
    """Puts something wrong somewhere into a JSON value."""
    at, key = value, None
    while isinstance(at, (dict, list)) and at:
        parent = at
        key = chance.choice(list(at)) if isinstance(at, dict) else chance.randrange(len(at))
        at = at[key]
        if chance.random() < 0.3:
            break
    if key is None:
        return
    if isinstance(parent, dict) and chance.random() < 0.3:
        parent[chance.choice(["", "x", key.upper(), key[:-1], key + "s", "\0", "é" * 300])] = parent.pop(key)
    else:
        parent[key] = copy.deepcopy(chance.choice(VALUES))


VALUES = [None, True, 0, -1, 1 << 40, 1 << 70, -(1 << 70), 1.5, 1e300, "", " ", "\0", "\ud800", "x" * 70_000, "2026-02-30", "9999-12-31", "-1", [], {}, [[]], [None], {"": {}}, "' --", "\u202e", "123456", "NaN"]
PIECES = [b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b",", b"{", b"}", b"[", b"]", b"\\", b"\\ud800", b"\\u0000", b"null", b"1e999", b"-", b"\x1a", b"\xed\xa0\x80", b";", b"\t", b"=1+1", b"x" * 5000, b"[" * 300]


def zip_bomb():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("enrolments.csv", "w", force_zip64=True) as file:
            file.write(b"sourcedId,status\n")
            for _ in range(512):
                file.write(b"\0" * MIB)
    return packed.getvalue()


def nested_zip():
    inner = zip_bomb()
    for level in range(3):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in range(8):
                archive.writestr(f"{level}-{name}.zip", inner)
        inner = packed.getvalue()
        if len(inner) > 4 * MIB:
            break
    return inner


def main():
    doors = Doors(arguments())
    before = doors.memory("VmRSS")
    for attack in (doors.hostile_bodies, doors.gzip_bombs, doors.endless_lines, doors.broken_requests, doors.grpc_messages, doors.random_bodies):
        attack()
        peak = doors.memory()
        print(f"{attack.__name__}: {doors.sent} pushes so far, peak {peak:.0f} MiB", flush=True)
        assert peak < doors.given.memory_mib, f"{attack.__name__} took the server to {peak:.0f} MiB"
    chance = random.Random(7)
    good = json.dumps({"records": [doors.enrolment(chance) | {"externalId": "last"}]}).encode()
    status, answer = doors.post(good, MEDIA[0])
    assert status == 202, f"a good push afterwards was answered {status}: {answer!r}"
    print(f"answers by status: {doors.seen}; resident before {before:.0f} MiB, peak {doors.memory():.0f} MiB")


if __name__ == "__main__":
    main()
