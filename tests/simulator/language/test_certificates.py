"""Whose certificate is trusted, and what is said where one is not: a local server may be asked by https, too."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.pool import EndpointPool

LIST = b'{"data": [{"id": "m"}]}'
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the name localhost that nobody but itself has signed, and its key beside it."""
    made = tmp_path_factory.mktemp("certificates") / "server.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(made) + ".key", "-out", str(made)], check=True, capture_output=True)
    return made


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def met(host: str, certificate: Path | None) -> str:
    """The name of the model that a server serves, by https where it has a certificate."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(LIST) + LIST)
        await writer.drain()
        writer.close()

    async def meet() -> str:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, str(certificate) + ".key")
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        scheme = "http" if certificate is None else "https"
        pool = EndpointPool([Connection(base_url=f"{scheme}://{host}:{port}/v1", model=None)], max_attempts=2)
        try:
            await pool.start()
            return pool.name
        finally:
            await pool.close()
            server.close()

    return asyncio.run(meet())


def test_a_certificate_that_nobody_vouches_for_is_named_at_once(certificate: Path):
    with pytest.raises(ProviderError, match=r"its certificate is not trusted: self.signed.*SSL_CERT_FILE"):
        met("localhost", certificate)


def test_the_environment_can_vouch_for_a_local_server(certificate: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert met("localhost", certificate) == "m"


def test_a_certificate_for_another_name_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(ProviderError, match=r"not trusted: .*mismatch"):
        met("127.0.0.1", certificate)


def test_a_file_without_certificates_is_one_message(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "junk.pem").write_text("junk")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "junk.pem"))
    with pytest.raises(ProviderError, match=r"certificates cannot be read .*SSL_CERT_FILE=.*junk\.pem"):
        met("localhost", certificate)
    assert met("localhost", None) == "m", "who is not asked by https needs no certificate"
