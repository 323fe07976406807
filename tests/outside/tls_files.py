"""A certificate authority for tests: `tls_files.py FOLDER` writes what the clients and servers of a test need.

ca.pem, other-ca.pem            two authorities that know nothing of each other
server.pem, server.key          ours, for localhost and 127.0.0.1
next.pem, next.key              the same again, to take over from it
expired.pem, expired.key        of the right authority, a day too late
strange.pem, strange.key        of the other authority
"""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def authority(name):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(named(name), named(name), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - 30 * DAY).not_valid_after(NOW + 30 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def issue(by, begins, ends):
    ca_key, ca = by
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(ca.subject, named("headway"), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(ends)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return key, builder.sign(ca_key, hashes.SHA256())


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def main(folder):
    def write(name, pair):
        key, certificate = pair
        (folder / f"{name}.pem").write_bytes(pem(certificate))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(secret)

    ours, other = authority("Headway test"), authority("Somebody else")
    (folder / "ca.pem").write_bytes(pem(ours[1]))
    (folder / "other-ca.pem").write_bytes(pem(other[1]))
    write("server", issue(ours, NOW - DAY, NOW + 7 * DAY))
    write("next", issue(ours, NOW - DAY, NOW + 7 * DAY))
    write("expired", issue(ours, NOW - 8 * DAY, NOW - DAY))
    write("strange", issue(other, NOW - DAY, NOW + 7 * DAY))


main(pathlib.Path(sys.argv[1]))
