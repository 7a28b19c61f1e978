"""Certificates are exchanged under a server as those who renew them do it: by other files in their place."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from selfjudge_service.server.certificates import Certificates, Files


def replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(path)


def pair(name: str) -> tuple[bytes, bytes]:
    """A certificate of a name, signed by itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    certificate = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


class Server:
    """A context made of two files."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.renew("first")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, self.key)
        self.certificates = Certificates(self.context, Files(str(self.certificate), str(self.key), None))

    def renew(self, name: str) -> None:
        certificate, key = pair(name)
        replace(self.certificate, certificate)
        replace(self.key, key)

    def name(self) -> str:
        """Whom a client meets."""
        asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = asking.wrap_bio(back, there)
        server = self.context.wrap_bio(there, back, server_side=True)
        for side in (client, server, client):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
        found = client.getpeercert(binary_form=True)
        assert found
        return x509.load_der_x509_certificate(found).subject.rfc4514_string()


async def test_each_renewal_is_found_and_a_pair_that_does_not_fit_is_not_used(tmp_path: Path) -> None:
    server = Server(tmp_path)
    assert await server.certificates.refresh()
    assert server.name() == "CN=first"
    for name in ("second", "third"):
        server.renew(name)
        await server.certificates.refresh()
        assert server.name() == f"CN={name}"
    replace(server.certificate, pair("half")[0])
    for _ in range(2):
        with pytest.raises(ssl.SSLError):
            await server.certificates.refresh()
    assert server.name() == "CN=third"
    server.certificate.unlink()
    with pytest.raises(FileNotFoundError):
        await server.certificates.refresh()
    server.renew("last")
    await server.certificates.refresh()
    assert server.name() == "CN=last"
