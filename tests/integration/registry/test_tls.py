"""TLS: trusted by the connection's own CA, refused with the certificate's problem, or skipped when a person says so."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from shared.errors import PermanentError
from shared.registry.errors import CertificateRefused
from tests.fakes.hostile_registry import HostileRegistry, Reply, hostile_registry
from tests.integration.registry.conftest import MakeClient
from tests.support.certificates import Certificate, make_authority, make_server_certificate


@pytest.fixture
def authority(tmp_path: Path) -> Certificate:
    return make_authority(tmp_path / "ca")


@pytest.fixture
def server(tmp_path: Path, authority: Certificate) -> Certificate:
    return make_server_certificate(tmp_path, authority)


@asynccontextmanager
async def registry_with(certificate: Certificate) -> AsyncIterator[HostileRegistry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    async with hostile_registry(context) as registry:
        registry.scripts["/v2/"] = Reply()
        yield registry


async def refusal(make_client: MakeClient, host: str, ca: str | None = None) -> str:
    """Return the sentence; one try must be enough to know."""
    with pytest.raises(CertificateRefused) as caught:
        await make_client(host, ca=ca).ping()
    assert caught.value.reason == "tls_failed"
    return str(caught.value)


async def test_a_certificate_of_the_connections_own_ca_is_trusted(
    make_client: MakeClient, authority: Certificate, server: Certificate
) -> None:
    async with registry_with(server) as registry:
        await make_client(registry.url, ca=authority.certificate_file.read_text()).ping()
        assert [seen.path for seen in registry.seen] == ["/v2/"]


async def test_an_unknown_ca_is_named_with_the_way_out(make_client: MakeClient, server: Certificate) -> None:
    async with registry_with(server) as registry:
        sentence = await refusal(make_client, registry.url)
        assert "signed by a CA that is not known here. Give its CA with --ca FILE." in sentence
        assert not registry.seen


async def test_a_self_signed_certificate_is_named(make_client: MakeClient, authority: Certificate) -> None:
    async with registry_with(authority) as registry:
        assert "is self-signed. Give its CA with --ca FILE." in await refusal(make_client, registry.url)


async def test_a_certificate_for_another_name_is_named(
    make_client: MakeClient, tmp_path: Path, authority: Certificate, server: Certificate
) -> None:
    other = resigned(tmp_path, authority, server, names=["registry.example.com"])
    async with registry_with(other) as registry:
        ca = authority.certificate_file.read_text()
        assert "for another address" in await refusal(make_client, registry.url, ca)
        by_name = registry.url.replace("127.0.0.1", "localhost")
        assert "for another host name" in await refusal(make_client, by_name, ca)


async def test_an_expired_certificate_is_named(
    make_client: MakeClient, tmp_path: Path, authority: Certificate, server: Certificate
) -> None:
    old = resigned(tmp_path, authority, server, names=["localhost"], until=datetime(2021, 1, 1, tzinfo=UTC))
    async with registry_with(old) as registry:
        by_name = registry.url.replace("127.0.0.1", "localhost")
        sentence = await refusal(make_client, by_name, authority.certificate_file.read_text())
        assert "has expired. Have it renewed." in sentence


async def test_verification_is_skipped_when_a_person_says_so(make_client: MakeClient, server: Certificate) -> None:
    async with registry_with(server) as registry:
        await make_client(registry.url, skip_tls_verification=True).ping()
        assert len(registry.seen) == 1


async def test_https_to_a_port_that_speaks_http_is_named(make_client: MakeClient) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        sentence = await refusal(make_client, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert "does not speak TLS on this port" in sentence


@pytest.mark.parametrize("inside", ["AAAA", "a\u00e9\U0001f433"])
async def test_a_ca_that_is_no_certificate_is_refused_before_anything_is_sent(
    make_client: MakeClient, hostile: HostileRegistry, inside: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        make_client(hostile.url, ca=f"-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n")
    assert caught.value.reason == "ca_invalid"


async def test_a_redirect_from_https_to_http_is_refused(
    make_client: MakeClient, hostile: HostileRegistry, server: Certificate
) -> None:
    async with registry_with(server) as registry:
        registry.scripts["/v2/a/tags/list"] = Reply(307, b"", (("Location", hostile.url + "/x"),))
        with pytest.raises(PermanentError) as caught:
            await make_client(registry.url, skip_tls_verification=True).tags("a")
        assert caught.value.reason == "redirect_refused"
        assert "from https to http" in str(caught.value)


async def test_an_https_registry_cannot_send_its_users_to_an_http_token_service(
    make_client: MakeClient, hostile: HostileRegistry, server: Certificate
) -> None:
    async with registry_with(server) as registry:
        challenge = (("WWW-Authenticate", f'Bearer realm="{hostile.url}/token"'),)
        registry.scripts["/v2/a/tags/list"] = Reply(401, b"", challenge)
        client = make_client(registry.url, "right", username="me", auth_type="bearer", skip_tls_verification=True)
        with pytest.raises(PermanentError) as caught:
            await client.tags("a")
        assert caught.value.reason == "token_service_refused"
        assert not hostile.seen


def resigned(
    folder: Path,
    authority: Certificate,
    like: Certificate,
    names: list[str],
    until: datetime = datetime(2070, 1, 1, tzinfo=UTC),
) -> Certificate:
    """Return the certificate for other names or times, signed by the same CA."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(like.certificate.subject)
        .issuer_name(authority.certificate.subject)
        .public_key(like.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    certificate = builder.sign(authority.key, hashes.SHA256())
    file = folder / "resigned.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Certificate(like.key, certificate, file, like.key_file)
