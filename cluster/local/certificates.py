"""The local broker's certificate and the authority that signs it, made where there is none."""

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_AUTHORITY_DAYS: Final = 3_650
_SERVER_DAYS: Final = 397
"""What browsers and phones still accept of a server."""
_RENEW_DAYS: Final = 30


class CertificateFiles(NamedTuple):
    """``authority`` is what a device must trust; the others are the broker's."""

    authority: Path
    certificate: Path
    key: Path


def certificate_files(folder: Path) -> CertificateFiles:
    """Where they lie under a folder."""
    return CertificateFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")


def make_certificates(folder: Path, address: str) -> CertificateFiles:
    """Make what is missing or soon ends: an authority, and a certificate of this machine.

    Args:
        folder: where to keep them; keys are readable by this user only.
        address: a further address by which devices reach the broker.
    """
    files = certificate_files(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file = folder / "ca.key"
    if not _good(files.authority) or not key_file.is_file():
        _make_authority(files.authority, key_file)
        files.certificate.unlink(missing_ok=True)
    names = _names(address)
    if not _good(files.certificate, names) or not files.key.is_file():
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        authority_key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
        _make_server(files, authority, authority_key, names)
    return files


def _names(address: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.DNSName(socket.gethostname()),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    try:
        further = x509.IPAddress(ipaddress.ip_address(address))
        return names if further in names else [*names, further]
    except ValueError:
        return [*names, x509.DNSName(address)]


def _good(file: Path, names: list[x509.GeneralName] | None = None) -> bool:
    """Whether a certificate is there for some time to come, for all these names."""
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return False
    if found.not_valid_after_utc < datetime.now(UTC) + timedelta(days=_RENEW_DAYS):
        return False
    if names is None:
        return True
    said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return all(name in list(said) for name in names)


def _make_authority(file: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "imustream local authority")])
    certificate = (
        _builder(name, name, key, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_file, key)
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(
    files: CertificateFiles,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "imustream local broker")])
    certificate = (
        _builder(name, authority.subject, key, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    _write_key(files.key, key)
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        target.write(text)
