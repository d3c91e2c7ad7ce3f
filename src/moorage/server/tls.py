"""TLS in the process: a context that takes a renewed certificate without a restart, and an own CA for those who have none."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moorage.files import whole
from moorage.server.settings import Settings

logger = logging.getLogger("moorage.server")

_WATCH_SECONDS = 5.0
_CA_DAYS, _LEAF_DAYS = 3650, 820


class TlsError(Exception):
    """Certificate or key cannot be used; the message says why."""


def check(settings: Settings) -> None:
    """Make sure that certificate and key load, before anything else starts. Raises TlsError."""
    if settings.tls_certificate:
        Reloading(settings)


class Reloading:
    """A TLS context that follows its files."""

    def __init__(self, settings: Settings) -> None:
        self._certificate, self._key = Path(settings.tls_certificate), Path(settings.tls_key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._stamp()
        self._load()

    def _stamp(self) -> tuple[float, float]:
        try:
            return self._certificate.stat().st_mtime, self._key.stat().st_mtime
        except OSError as error:
            raise TlsError(f"cannot read {error.filename}: {error.strerror}") from None

    def _load(self) -> None:
        try:
            self.context.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"cannot use {self._certificate} with {self._key}: {error}") from None

    async def watch(self) -> None:
        """Load the files again when they change; new connections then use them. A bad pair is logged and the old one stays."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                stamp = self._stamp()
                if stamp != self._seen:
                    self._load()
                    self._seen = stamp
                    logger.info("the TLS certificate was read again")
            except TlsError as error:
                logger.error("the TLS certificate stays as it was: %s", error)


def make_ca(folder: Path, names: Sequence[str]) -> tuple[Path, Path, Path]:
    """Make an own CA (once) and a server certificate for `names`; return the paths of CA, certificate and key.

    Each file is whole or not there, and the server's key stays when its certificate is renewed: whenever this is ended, the pair
    on the disk fits. Raises TlsError.
    """
    try:
        whole.make_folder(folder)
        ca, ca_key = _authority(folder / "ca.pem", folder / "ca.key")
        key_file, certificate = folder / "server.key", folder / "server.pem"
        if key_file.exists():
            key = _load_key(key_file)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            whole.replace(key_file, _pem(key))
        leaf = _sign(ca_key, key, names[0], ca.subject, _LEAF_DAYS, names)
        pem = serialization.Encoding.PEM
        whole.replace(certificate, leaf.public_bytes(pem) + ca.public_bytes(pem), mode=0o644)
    except OSError as error:
        raise TlsError(
            f"{error.filename or folder}: {error.strerror}; the certificates belong there, name another --data"
        ) from None
    return folder / "ca.pem", certificate, key_file


def _authority(file: Path, key_file: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The own CA: that of the folder, or a fresh one. Its key comes first: a certificate without a key would stay for ever."""
    if file.exists():
        try:
            return x509.load_pem_x509_certificate(file.read_bytes()), _load_key(key_file)
        except ValueError:
            raise TlsError(f"{file} holds no certificate: put a copy back, or move it and {key_file} away for a new CA") from None
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, key, "Moorage CA", None, _CA_DAYS, ())
    whole.replace(key_file, _pem(key))
    whole.replace(file, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return certificate, key


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TlsError(f"{file} holds no key of an elliptic curve: put a copy back, or move it away for a new one")
    return key


def _sign(
    signer: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    common_name: str,
    issuer: x509.Name | None,
    days: int,
    names: Sequence[str],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=0 if issuer is None else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return x509.DNSName(text)
    except ValueError:
        raise TlsError(f"{text!r} is no host name that a certificate can hold: write it in ASCII (xn--...)") from None


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
