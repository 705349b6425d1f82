"""What tests of the transport share: calls, a resolver with a script, a certificate of nobody."""

import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.base import (
    Call,
    Flow,
    HttpCall,
    Reply,
    SendError,
)
from gateway.clock import FrozenClock
from gateway.media import MediaStore
from gateway.transport import GuardSettings, SeenCall, Transport, TransportSettings
from normalizer.ids import EndpointId

ENDPOINT = EndpointId("wa")
SECRET = "sEcr3t-token"
CREDENTIALS = {"bot_token": SECRET}
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(5000)


class Disk:
    free = 10**12


class Made:
    """Transports of one test, with what they told."""

    def __init__(self, media: MediaStore) -> None:
        self.media = media
        self.seen: list[SeenCall] = []
        self.open: list[Transport] = []

    async def __call__(
        self,
        guard: GuardSettings | None = None,
        resolver: Callable[[], AbstractResolver] | None = None,
        **settings: Any,
    ) -> Transport:
        limits = TransportSettings(**{"timeout_ms": 5000, **settings})
        options: dict[str, Any] = {} if resolver is None else {"resolver": resolver}
        transport = Transport(
            limits, guard or GuardSettings(), self.media, FrozenClock(), seen=self.seen.append, **options
        )
        self.open.append(await transport.__aenter__())
        return transport


def one(call: Call) -> Flow[Reply]:
    return (yield call)


def get(url: str, **facts: Any) -> HttpCall:
    return HttpCall(method="GET", url=url, **facts)


def post(url: str, **facts: Any) -> HttpCall:
    return HttpCall(**{"method": "POST", "url": url, "body": b"{}", **facts})


async def run(transport: Transport, call: Call, **options: Any) -> Reply:
    return await transport.run(one(call), endpoint=ENDPOINT, credentials=CREDENTIALS, **options)


async def failure(transport: Transport, call: Call, **options: Any) -> SendError:
    """What the call fails with, after a look at what it must never say."""
    with pytest.raises(SendError) as failed:
        await run(transport, call, **options)
    told = "".join(traceback.format_exception(failed.value)) + repr(failed.value)
    assert SECRET not in told
    assert "/private-path" not in told
    assert failed.value.__context__ is None, "what a log of ours would not print, another tool may"
    return failed.value


def facts(error: SendError) -> tuple[type[SendError], bool]:
    return type(error), error.certain


class Names(AbstractResolver):
    """Answers from a script; each question takes the next answer."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        pass


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


def stored_files(root: Path) -> list[Path]:
    return [path for path in (root / "media").rglob("*") if path.is_file() and path.name != ".lock"]


def self_signed(folder: Path) -> ssl.SSLContext:
    """For this machine's own address; nobody but a test that is told to trusts it (`both.pem`)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "files.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(plain + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context
