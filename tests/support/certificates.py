"""Throw-away certificates: a CA of its own, and what it signs for the loopback address."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Fixed and wide, so that no clock of the machine makes a test fail.
_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
_UNTIL: Final = _FROM + timedelta(days=365 * 50)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, also as PEM files."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    certificate_file: Path
    key_file: Path


def make_authority(folder: Path, name: str = "Tallyman tests' CA") -> Certificate:
    """Return a self-signed CA, its files in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _builder(subject, key, subject, key).add_extension(x509.BasicConstraints(True, None), critical=True)
    return _write(folder, "ca", key, builder.sign(key, hashes.SHA256()))


def make_server_certificate(
    folder: Path, authority: Certificate, *, host: str = "", until: datetime = _UNTIL
) -> Certificate:
    """Return a certificate for 127.0.0.1 and localhost, or this host alone, signed by the CA, its files in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
    ]
    if host:
        names = [x509.DNSName(host)]
    builder = _builder(_name("localhost"), key, authority.certificate.subject, authority.key, until)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    return _write(folder, "server", key, builder.sign(authority.key, hashes.SHA256()))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    until: datetime = _UNTIL,
) -> x509.CertificateBuilder:
    is_ca = subject == issuer
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(until)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
    )


def _write(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Certificate:
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(key, certificate, folder / f"{name}.pem", folder / f"{name}.key")
    made.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made
