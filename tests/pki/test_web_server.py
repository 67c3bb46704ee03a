# SPDX-License-Identifier: ISC
"""What is handed out over HTTP by a process: openssl asks it, and some hold connections and ask nothing."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import issuance, profiles
from pki.cli.common import current_time
from pki.directory import Directory
from pki.names import identity
from tests.pki import factory
from tests.pki.living import Ca
from tests.pki.openssl_tool import openssl

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    url: str
    ca: Ca

    def stop(self) -> list[dict[str, Any]]:
        """SIGTERM; what was logged."""
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return [json.loads(line) for line in log.splitlines()]


@pytest.fixture
def running(tmp_path: Path, quick_keys: None) -> Iterator[Running]:
    """An authority of today, and its server."""
    now = current_time()
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", now)
    for name in ("gw", "gone"):
        issuance.issue(directory, profiles.PROFILES["gateway"], (identity(f"{name}.example.org"),), now)
    living = Ca(directory)
    (gone,) = living.registry.find("gone.example.org")
    living.revoke(gone, now)
    living.make(now)
    command = [sys.executable, "-c", "from pki import cli; cli.main()", "serve"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--dir", str(directory.path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        told = json.loads("".join(lines))
        assert told["ocsp"] == ["/CN=Example CA"]
        try:
            yield Running(process, told["url"], living)
        finally:
            if process.poll() is None:
                process.kill()


def pem(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


def test_openssl_asks(running: Running, tmp_path: Path) -> None:
    ca = running.ca
    root = pem(tmp_path / "ca.pem", ca.authority.certificate.certificate)
    certificates = [
        pem(tmp_path / f"{name}.pem", ca.registry.find(f"{name}.example.org")[0].certificate)
        for name in ("gw", "gone")
    ]
    other = pem(tmp_path / "other.pem", factory.leaf(factory.authority(), "other.example.org").certificate)
    for certificate, word in zip([*certificates, other], ("good", "revoked", "unknown"), strict=True):
        status, text = openssl(
            *("ocsp", "-issuer", root, "-cert", certificate, "-url", f"{running.url}ocsp", "-CAfile", root)
        )
        assert (status, "Response verify OK" in text) == (0, True), text
        assert f"{certificate}: {word}\n" in text
        assert "WARNING" not in text  # of a nonce that did not come back
    assert (
        "Reason: keyCompromise"
        in openssl(
            *("ocsp", "-issuer", root, "-cert", certificates[1], "-url", f"{running.url}ocsp", "-CAfile", root)
        )[1]
    )
    answered = [line["ocsp"] for line in running.stop()]
    assert answered == ["good", "revoked", "unknown", "revoked"]


def test_openssl_refuses_by_the_list_that_is_fetched(running: Running, tmp_path: Path) -> None:
    root = pem(tmp_path / "ca.pem", running.ca.authority.certificate.certificate)
    with urllib.request.urlopen(f"{running.url}crl/1.crl") as response:
        assert response.headers["content-type"] == "application/pkix-crl"
        crl = x509.load_der_x509_crl(response.read())
    with urllib.request.urlopen(f"{running.url}ca/1.crt") as response:
        assert x509.load_der_x509_certificate(response.read()) == running.ca.authority.certificate.certificate
    (tmp_path / "crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    for name, word in (("gw", ": OK"), ("gone", "certificate revoked")):
        leaf = pem(tmp_path / f"{name}.pem", running.ca.registry.find(f"{name}.example.org")[0].certificate)
        assert word in openssl("verify", "-crl_check", "-CAfile", root, "-CRLfile", tmp_path / "crl.pem", leaf)[1]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{running.url}nothing")
    assert [(line["path"], line["status"]) for line in running.stop()] == [
        ("/crl/1.crl", 200),
        ("/ca/1.crt", 200),
        ("/nothing", 404),
    ]


# --- those who hold connections


def connected(running: Running, sent: bytes = b"") -> socket.socket:
    host, port = running.url.removeprefix("http://").rstrip("/").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(sent)
    return connection


def status(running: Running) -> int:
    try:
        with urllib.request.urlopen(running.url, timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


WHOLE = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
UNFINISHED = [b"", b"GET / HTTP/1.1\r\n", WHOLE[:-2], WHOLE + b"G", b"GET / HTTP/1.1\r\nHost:"]


def test_whoever_sends_no_request_keeps_nobody_out(running: Running) -> None:
    held = [connected(running, UNFINISHED[number % len(UNFINISHED)]) for number in range(200)]
    try:
        assert status(running) == 503
        for connection in held:
            while connection.recv(1 << 16):  # raises where it is not closed in time
                pass
        assert status(running) == 200
    finally:
        for connection in held:
            connection.close()


def test_whoever_sends_byte_by_byte_is_not_waited_for(running: Running) -> None:
    body = WHOLE[:-2] + b"Content-Length: 999\r\n\r\n"  # answered before it has come
    with connected(running) as first, connected(running, WHOLE) as again, connected(running, body) as early:
        for connection in (again, early):
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        begun = time.monotonic()
        for connection in (first, again, early):
            connection.settimeout(0.5)
        gone: set[socket.socket] = set()
        for byte in 2 * WHOLE:
            for connection in {first, again, early} - gone:
                try:
                    connection.sendall(bytes([byte]))
                    if connection.recv(1 << 16) == b"":
                        gone.add(connection)
                except TimeoutError:
                    continue
                except OSError:
                    gone.add(connection)
            if len(gone) == 3:
                break
        assert len(gone) == 3
        assert time.monotonic() - begun < 15


def answered(connection: socket.socket, times: int) -> bool:
    answer = b""
    while answer.count(b"/ca/1.crt") < times:
        part = connection.recv(1 << 16)
        if not part:
            return False
        answer += part
    return True


def test_a_connection_is_there_for_the_next_request(running: Running) -> None:
    with connected(running) as connection:
        for _ in range(3):
            connection.sendall(WHOLE)
            assert answered(connection, 1)
            time.sleep(2)  # all in all longer than a head may take
        connection.sendall(2 * WHOLE)
        assert answered(connection, 2)
