"""TLS as a caller meets it: `tls_client.py URL FOLDER TOKEN`, where FOLDER holds what tls_files.py wrote and the server
shows FOLDER/shown.pem, a copy of server.pem, and takes ca.pem for the authority of services. TOKEN is a service's.
"""

import http.client
import pathlib
import shutil
import socket
import ssl
import sys
import time
import urllib.parse

import grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

url, folder, token = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
assert url.startswith("https://"), url
place = urllib.parse.urlsplit(url)
HOST, PORT = place.hostname, place.port


def context(ca="ca.pem", shows=None, most=None):
    it = ssl.create_default_context(cafile=folder / ca)
    if shows:
        it.load_cert_chain(folder / f"{shows}.pem", folder / f"{shows}.key")
    if most:
        it.maximum_version = most
    return it


def connect(**named):
    return http.client.HTTPSConnection(HOST, PORT, context=context(**named), timeout=20)


def ask(connection, path="/openapi.json"):
    connection.request("GET", path, headers={"authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def refused(**named):
    """The handshake, or in TLS 1.3 the first answer after it, must fail."""
    try:
        ask(connect(**named))
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected) as error:
        return str(error)
    raise AssertionError(f"{named} was let in")


def shown():
    with socket.create_connection((HOST, PORT)) as plain, context().wrap_socket(plain, server_hostname=HOST) as it:
        return it.getpeercert()["serialNumber"]


# HTTP/1.1 over TLS 1.3 and 1.2, and nothing older.
for most in [None, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2]:
    connection = connect(most=most)
    status, headers, _ = ask(connection)
    assert status == 200, status
    assert headers["strict-transport-security"] == "max-age=31536000", headers
old = context()
old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
old.maximum_version = ssl.TLSVersion.TLSv1_1
try:
    socket.create_connection((HOST, PORT)).close()
    with socket.create_connection((HOST, PORT)) as plain:
        old.wrap_socket(plain, server_hostname=HOST)
    raise AssertionError("TLS 1.1 was spoken")
except ssl.SSLError:
    pass

# gRPC over h2, chosen by ALPN; and reflection, so that something comes back.
credentials = grpc.ssl_channel_credentials(root_certificates=(folder / "ca.pem").read_bytes())
with grpc.secure_channel(f"{HOST}:{PORT}", credentials) as channel:
    services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert "headway.registry.v1.RegistryService" in services, services

# Plain HTTP is not answered.
with socket.create_connection((HOST, PORT), timeout=20) as plain:
    plain.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
    try:
        said = plain.recv(4096)
    except ConnectionError:
        said = b""
    assert not said.startswith(b"HTTP"), said

# A caller of another authority does not believe us, and we do not believe it; nor one whose time is over.
assert "verify failed" in refused(ca="other-ca.pem")
refused(shows="strange")
refused(shows="expired")
# Who shows none is an ordinary caller. A service's token is taken from who shows a service's certificate, and from nobody
# else: the token given here is one.
assert ask(connect())[0] == 200
assert ask(connect(), "/v1/trusts")[0] == 401
assert ask(connect(shows="server"), "/v1/trusts")[0] == 200
# A handshake that is never finished holds nothing up.
idle = [socket.create_connection((HOST, PORT)) for _ in range(20)]
assert ask(connect())[0] == 200
for it in idle:
    it.close()

# The files change: new connections are shown the new certificate, and no old one is dropped.
kept = connect()
assert ask(kept)[0] == 200
before = shown()
shutil.copy(folder / "next.key", folder / "shown.key")
shutil.copy(folder / "next.pem", folder / "shown.pem")
deadline = time.monotonic() + 20
while shown() == before:
    assert time.monotonic() < deadline, "the new certificate is not shown"
    time.sleep(0.2)
assert ask(kept)[0] == 200, "the connection of before goes on"

# What cannot be used is not taken.
(folder / "shown.pem").write_text("not a certificate")
time.sleep(3)
assert ask(connect())[0] == 200
shutil.copy(folder / "expired.key", folder / "shown.key")
shutil.copy(folder / "expired.pem", folder / "shown.pem")
deadline = time.monotonic() + 20
while True:
    try:
        ask(connect())
    except ssl.SSLError as error:
        assert "expired" in str(error), error
        break
    assert time.monotonic() < deadline, "the expired certificate is not shown"
    time.sleep(0.2)
assert ask(kept)[0] == 200, "the connection of before goes on"
print("TLS: every check passed")
