"""gateway/transport/http.py and wire.py: real sockets, a provider that misbehaves, and what the adapter is told."""

import asyncio
import gzip
import json
import socket
import ssl
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.base import (
    Auth,
    Call,
    CredentialsRefused,
    Flow,
    HttpCall,
    MediaFailed,
    NoAnswer,
    NotReached,
    PushCall,
    Refused,
    Reply,
    SendError,
    Unavailable,
    Upload,
)
from gateway.clock import FrozenClock
from gateway.media import MediaSettings, MediaStore
from gateway.transport import GuardSettings, SeenCall, Transport, TransportSettings
from normalizer.ids import EndpointId
from tests.gateway.provider import Answer, HangUp, Provider, Raw, Silent, Slow, multipart
from tests.gateway.test_transport_guard import Names

ENDPOINT = EndpointId("wa")
SECRET = "sEcr3t-token"
CREDENTIALS = {"bot_token": SECRET}
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(5000)


class Disk:
    free = 10**12


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def media(tmp_path: Path, disk: Disk) -> Iterator[MediaStore]:
    store = MediaStore(tmp_path, MediaSettings(), FrozenClock(), free_bytes=lambda: disk.free)
    yield store
    store.close()


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


@pytest.fixture
async def make(media: MediaStore) -> AsyncIterator[Made]:
    made = Made(media)
    yield made
    for transport in made.open:
        await transport.__aexit__()


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
    return failed.value


def facts(error: SendError) -> tuple[type[SendError], bool]:
    return type(error), error.certain


# --- flows --------------------------------------------------------------------------------------------------------


async def test_a_flow_of_several_calls_comes_to_its_result(provider: Provider, make: Made) -> None:
    provider.then(Answer(body=b'{"id":"m1"}'), Answer(201, {"X-Id": "7"}, b"done"))

    def flow() -> Flow[str]:
        uploaded = yield post(provider.url("/media"))
        sent = yield post(provider.url("/messages"), body=uploaded.body)
        return f"{sent.status} {sent.headers['x-id']} {sent.body.decode()}"

    result = await (await make()).run(flow(), endpoint=ENDPOINT, credentials={})
    assert result == "201 7 done"
    assert [(call.method, call.path, call.body) for call in provider.calls] == [
        ("POST", "/media", b"{}"),
        ("POST", "/messages", b'{"id":"m1"}'),
    ]


async def test_an_error_is_thrown_in_at_the_yield_and_may_be_handled(provider: Provider, make: Made) -> None:
    provider.then(HangUp(), Answer(200))

    def flow() -> Flow[str]:
        try:
            yield post(provider.url("/first"))
        except NoAnswer:
            answer = yield get(provider.url("/look-up"))
            return f"looked up: {answer.status}"
        return "not reached"

    assert await (await make()).run(flow(), endpoint=ENDPOINT, credentials={}) == "looked up: 200"


class Closing:
    """A flow that notices how it ends."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ended: list[str] = []

    def flow(self) -> Generator[Call, Reply, None]:
        try:
            yield post(self.url)
            raise Refused("by the adapter")
        finally:
            self.ended.append("closed")


async def test_what_the_flow_raises_comes_out_and_it_is_closed(provider: Provider, make: Made) -> None:
    closing = Closing(provider.url())
    with pytest.raises(Refused, match="by the adapter"):
        await (await make()).run(closing.flow(), endpoint=ENDPOINT, credentials={})
    assert closing.ended == ["closed"]


async def test_a_cancelled_run_closes_its_flow(provider: Provider, make: Made) -> None:
    provider.then(Silent())
    closing = Closing(provider.url())
    task = asyncio.create_task((await make()).run(closing.flow(), endpoint=ENDPOINT, credentials={}))
    await provider.came(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closing.ended == ["closed"]


async def test_a_flow_without_calls_needs_no_network(make: Made) -> None:
    def flow() -> Flow[int]:
        return 7
        yield  # type: ignore[unreachable]

    assert await (await make()).run(flow(), endpoint=ENDPOINT, credentials={}) == 7


async def test_a_push_goes_to_the_live_sockets(make: Made) -> None:
    pushed: list[PushCall] = []

    async def push(call: PushCall) -> Reply:
        pushed.append(call)
        return Reply(204)

    call = PushCall(frame=b"typing")
    assert await run(await make(), call, push=push) == Reply(204)
    assert pushed == [call]


async def test_every_call_is_told_without_its_secrets(provider: Provider, make: Made) -> None:
    provider.then(Answer(404), HangUp())
    transport = await make()
    call = post(provider.url("/private-path?token=x"), headers={"X-Api": "private"}, auth=Auth("bot_token"))
    await run(transport, call)
    await failure(transport, call)
    assert make.seen == [
        SeenCall(endpoint_id=ENDPOINT, kind="http", method="POST", host="127.0.0.1", status=404),
        SeenCall(
            endpoint_id=ENDPOINT, kind="http", method="POST", host="127.0.0.1", error="no_answer",
            detail="ServerDisconnectedError",
        ),
    ]  # fmt: skip


# --- what goes out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (Auth("bot_token"), "authorization", f"Bearer {SECRET}"),
        (
            Auth("bot_token", "basic", user="AC1"),
            "authorization",
            "Basic " + b64encode(f"AC1:{SECRET}".encode()).decode(),
        ),
        (Auth("bot_token", "header", header="X-Api-Key"), "x-api-key", SECRET),
        (Auth("bot_token", "bearer", header="X-Auth"), "x-auth", f"Bearer {SECRET}"),
    ],
)
async def test_the_credential_is_put_in_its_place(
    provider: Provider, make: Made, auth: Auth, header: str, value: str
) -> None:
    await run(await make(), post(provider.url(), auth=auth, headers={header: "not this"}))
    assert provider.calls[0].headers[header] == value


async def test_headers_are_ours_and_the_adapters_alone(provider: Provider, make: Made) -> None:
    await run(await make(), post(provider.url(), headers={"Content-Type": "application/json", "X-A": "ü"}))
    await run(await make(), HttpCall(method="DELETE", url=provider.url()))
    first, second = provider.calls
    assert first.headers == {
        "host": f"127.0.0.1:{provider.port}",
        "user-agent": "throughline",
        "content-type": "application/json",
        "x-a": "ü".encode().decode("latin-1"),
        "accept": "*/*",
        "accept-encoding": first.headers["accept-encoding"],
        "content-length": "2",
    }
    assert "content-type" not in second.headers


@pytest.mark.parametrize("credentials", [{}, {"bot_token": ""}, {"bot_token": "a\r\nX-Evil: 1"}, {"bot_token": "a\n"}])
async def test_without_a_usable_credential_nothing_is_sent(
    provider: Provider, make: Made, credentials: Mapping[str, str]
) -> None:
    flow = one(post(provider.url(), auth=Auth("bot_token")))
    with pytest.raises(CredentialsRefused, match="bot_token"):
        await (await make()).run(flow, endpoint=ENDPOINT, credentials=credentials)
    assert provider.connections == 0


@pytest.mark.parametrize(
    "headers", [{"X-A": "a\r\nX-Evil: 1"}, {"X-A": "a\nb"}, {"X-A": "a\0"}, {"X A": "a"}, {"X-A\r\nB": "a"}, {"": "a"}]
)
async def test_a_header_that_breaks_out_is_refused(provider: Provider, make: Made, headers: Mapping[str, str]) -> None:
    assert facts(await failure(await make(), post(provider.url(), headers=headers))) == (Refused, True)
    assert provider.connections == 0


@pytest.mark.parametrize(
    "url", ["", "not a URL", "ftp://127.0.0.1/private-path", "http:///x", "http://[::1/private-path", "http://a:b/"]
)
async def test_what_is_no_url_is_refused(make: Made, url: str) -> None:
    assert facts(await failure(await make(), post(url))) == (Refused, True)


async def test_the_environments_proxy_is_not_used(
    provider: Provider, make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Provider() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        await run(await make(), post(provider.url()))
        assert (len(provider.calls), len(proxy.calls)) == (1, 0)
        await run(await make(trust_env=True), post(provider.url()))
        assert (len(provider.calls), len(proxy.calls)) == (1, 1)


async def test_an_upload_streams_from_the_media_store(provider: Provider, make: Made, media: MediaStore) -> None:
    stored = await media.put(chunks(PNG))
    upload = Upload(
        stored=stored.sha256, field="file", filename='gr"ün\r\n.png', mime="image/png",
        fields={"messaging_product": "whatsapp", "type": "image/png"},
    )  # fmt: skip
    call = post(provider.url(), body=b"", upload=upload, auth=Auth("bot_token"), headers={"content-type": "a/b"})
    await run(await make(), call)
    seen = provider.calls[0]
    parts = multipart(seen)
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert int(seen.headers["content-length"]) == len(seen.body)
    assert [(name, body) for name, (_, body) in parts.items()] == [
        ("messaging_product", b"whatsapp"),
        ("type", b"image/png"),
        ("file", PNG),
    ]
    assert "Content-Type: image/png" in parts["file"][0]


@pytest.mark.parametrize(
    ("mime", "sent"),
    [
        ("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"),
        ("image/png\r\nX-Evil: 1", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
async def test_an_uploads_type_stays_in_its_header(
    provider: Provider, make: Made, media: MediaStore, mime: str, sent: str
) -> None:
    stored = await media.put(chunks(PNG))
    upload = Upload(stored=stored.sha256, field="file", filename="a", mime=mime)
    await run(await make(), post(provider.url(), body=b"", upload=upload))
    assert f"Content-Type: {sent}" in multipart(provider.calls[0])["file"][0].split("\r\n")


@pytest.mark.parametrize("stored", ["0" * 64, "../../etc/passwd"])
async def test_an_upload_that_is_gone_is_not_begun(provider: Provider, make: Made, stored: str) -> None:
    upload = Upload(stored=stored, field="file", filename="a.png", mime="image/png")
    error = await failure(await make(), post(provider.url(), upload=upload))
    assert facts(error) == (MediaFailed, True)
    assert provider.connections == 0


# --- what comes back ----------------------------------------------------------------------------------------------


async def test_redirects_are_not_followed(provider: Provider, make: Made) -> None:
    provider.then(Answer(302, {"Location": provider.url("/elsewhere")}))
    reply = await run(await make(), get(provider.url(), auth=Auth("bot_token")))
    assert (reply.status, reply.headers["location"]) == (302, provider.url("/elsewhere"))
    assert len(provider.calls) == 1


async def test_cookies_are_not_kept(provider: Provider, make: Made) -> None:
    provider.then(Answer(200, {"Set-Cookie": "a=b; Path=/"}))
    transport = await make()
    await run(transport, get(provider.url()))
    await run(transport, get(provider.url()))
    assert "cookie" not in provider.calls[1].headers


async def test_headers_of_one_name_are_joined(provider: Provider, make: Made) -> None:
    provider.then(Answer(200, {"X-A": "1", "x-a": "2", "X-Stored": "forged", "X-Stored-Size": "1"}))
    headers = (await run(await make(), get(provider.url()))).headers
    assert headers["x-a"] == "1, 2"
    assert not any(name.startswith("x-stored") for name in headers)


@pytest.mark.parametrize("chunked", [True, False])
async def test_gzip_is_undone(provider: Provider, make: Made, chunked: bool) -> None:
    body = json.dumps({"a": "b" * 5000}).encode()
    provider.then(Answer(200, {"Content-Encoding": "gzip"}, gzip.compress(body), chunked=chunked))
    assert (await run(await make(), get(provider.url()))).body == body


@pytest.mark.parametrize("chunked", [True, False])
async def test_the_longest_answer_is_read(provider: Provider, make: Made, chunked: bool) -> None:
    provider.then(Answer(body=b"x" * 3000, chunked=chunked))
    assert len((await run(await make(max_answer_bytes=3000), get(provider.url()))).body) == 3000


@pytest.mark.parametrize("chunked", [True, False])
async def test_one_byte_more_is_no_answer(provider: Provider, make: Made, chunked: bool) -> None:
    provider.then(Answer(body=b"x" * 3001, chunked=chunked))
    error = await failure(await make(max_answer_bytes=3000), post(provider.url()))
    assert facts(error) == (NoAnswer, False)
    assert error.text == "answer too large"


async def test_the_call_may_ask_for_less(provider: Provider, make: Made) -> None:
    provider.then(Answer(body=b"x" * 11))
    assert facts(await failure(await make(), get(provider.url(), max_bytes=10))) == (NoAnswer, False)


async def test_a_gzip_bomb_is_cut_off(provider: Provider, make: Made) -> None:
    provider.then(Answer(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(50_000_000))))
    assert facts(await failure(await make(), get(provider.url()))) == (NoAnswer, False)


# --- to the media store -------------------------------------------------------------------------------------------


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_file_goes_to_disk(provider: Provider, make: Made, media: MediaStore, chunked: bool) -> None:
    provider.then(Answer(200, {"Content-Type": "text/html", "X-Stored": "forged"}, PNG, chunked=chunked))
    reply = await run(await make(), get(provider.url(), to_media=True, max_bytes=len(PNG)))
    assert (reply.body, reply.headers["x-stored-mime"]) == (b"", "image/png")
    assert reply.headers["x-stored-size"] == str(len(PNG))
    with await media.open(reply.headers["x-stored"]) as file:
        assert file.read() == PNG


async def test_a_refusal_is_not_taken_for_the_file(provider: Provider, make: Made, tmp_path: Path) -> None:
    provider.then(Answer(404, {}, b'{"error":"gone"}'))
    reply = await run(await make(), get(provider.url(), to_media=True))
    assert (reply.status, reply.body, "x-stored" in reply.headers) == (404, b'{"error":"gone"}', False)
    assert stored_files(tmp_path) == []


def stored_files(root: Path) -> list[Path]:
    return [path for path in (root / "media").rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_file_that_is_too_large_leaves_nothing(
    provider: Provider, make: Made, tmp_path: Path, chunked: bool
) -> None:
    provider.then(Answer(200, {}, PNG, chunked=chunked))
    error = await failure(await make(), get(provider.url(), to_media=True, max_bytes=len(PNG) - 1))
    assert (*facts(error), error.text) == (MediaFailed, True, "too_large")
    assert stored_files(tmp_path) == []


async def test_an_empty_file_is_none(provider: Provider, make: Made) -> None:
    provider.then(Answer(200, {}, b""))
    error = await failure(await make(), get(provider.url(), to_media=True))
    assert (*facts(error), error.text) == (MediaFailed, True, "empty")


@pytest.mark.parametrize(
    "behaviour", [Answer(200, {}, PNG, cut=3000), Answer(200, {}, PNG, chunked=True, cut=3000), HangUp()]
)
async def test_a_file_that_breaks_off_may_be_fetched_again(
    provider: Provider, make: Made, tmp_path: Path, behaviour: Answer | HangUp
) -> None:
    """Nothing was sent to anybody: the failure is certain, and so it may be repeated."""
    provider.usual = behaviour
    error = await failure(await make(), get(provider.url(), to_media=True))
    assert (*facts(error), error.retryable) == (NoAnswer, True, True)
    assert stored_files(tmp_path) == []


async def test_with_a_full_disk_the_file_stays_where_it_is(provider: Provider, make: Made, disk: Disk) -> None:
    disk.free = 0
    error = await failure(await make(), get(provider.url(), to_media=True))
    assert (*facts(error), error.retryable, error.text) == (Unavailable, True, True, "media_stopped")
    assert provider.connections == 0


# --- surely not out -----------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_a_refused_connection_is_not_reached(make: Made) -> None:
    error = await failure(await make(), post(f"http://127.0.0.1:{closed_port()}/private-path"))
    assert facts(error) == (NotReached, True)


async def test_a_name_that_does_not_resolve_is_not_reached(make: Made) -> None:
    class Unknown(Names):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
            raise OSError(None, "no such name")

    error = await failure(await make(resolver=Unknown), post("http://provider.example/private-path"))
    assert facts(error) == (NotReached, True)


async def test_a_connection_that_takes_too_long_is_not_reached(make: Made) -> None:
    class Stuck(Names):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
            await asyncio.Event().wait()

    transport = await make(resolver=Stuck, connect_timeout_ms=20)
    assert facts(await failure(transport, post("http://provider.example/"))) == (NotReached, True)
    assert facts(await failure(transport, post("http://provider.example/", timeout_ms=10))) == (NotReached, True)


async def test_waiting_for_a_free_connection_is_not_reached(provider: Provider, make: Made) -> None:
    provider.then(Silent())
    transport = await make(connections_per_host=1, connect_timeout_ms=50)
    first = asyncio.create_task(run(transport, post(provider.url())))
    await provider.came(1)
    assert facts(await failure(transport, post(provider.url()))) == (NotReached, True)
    assert provider.connections == 1
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_a_server_without_tls_is_not_reached(provider: Provider, make: Made) -> None:
    url = provider.url("/private-path").replace("http:", "https:")
    assert facts(await failure(await make(), post(url))) == (NotReached, True)
    assert provider.calls == []


async def test_a_certificate_of_nobody_is_not_reached(make: Made, tmp_path: Path) -> None:
    async with Provider(tls=self_signed(tmp_path)) as provider:
        assert facts(await failure(await make(), post(provider.url("/private-path")))) == (NotReached, True)
        assert provider.calls == []


def self_signed(folder: Path) -> ssl.SSLContext:
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
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(plain + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


async def test_when_the_time_of_the_flow_is_over_nothing_is_called(provider: Provider, make: Made) -> None:
    assert facts(await failure(await make(), post(provider.url()), timeout_ms=0)) == (NotReached, True)
    assert provider.connections == 0


# --- may be out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        HangUp(),
        Answer(200, {}, b"x" * 100, cut=50),
        Answer(200, {}, b"x" * 3000, chunked=True, cut=1500),
        Answer(200, {"Content-Encoding": "gzip"}, b"no gzip"),
        Raw(b"no HTTP at all\r\n\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
        Raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
    ],
)
async def test_an_answer_that_is_none_may_be_out(
    provider: Provider, make: Made, behaviour: Answer | HangUp | Raw
) -> None:
    provider.then(behaviour)
    error = await failure(await make(), post(provider.url("/private-path"), auth=Auth("bot_token")))
    assert facts(error) == (NoAnswer, False)
    assert len(provider.calls) == 1


async def test_silence_may_be_out(provider: Provider, make: Made) -> None:
    provider.usual = Silent()
    transport = await make(timeout_ms=60)
    assert facts(await failure(transport, post(provider.url()))) == (NoAnswer, False)
    assert facts(await failure(transport, post(provider.url(), timeout_ms=40))) == (NoAnswer, False)
    assert facts(await failure(transport, post(provider.url(), timeout_ms=60_000), timeout_ms=40)) == (NoAnswer, False)
    assert len(provider.calls) == 3


async def test_a_kept_connection_that_closes_instead_of_answering_may_be_out(provider: Provider, make: Made) -> None:
    """And is not called again by the HTTP client itself."""
    provider.then(Answer(), HangUp())
    transport = await make()
    await run(transport, post(provider.url("/1")))
    assert facts(await failure(transport, post(provider.url("/2")))) == (NoAnswer, False)
    assert [call.path for call in provider.calls] == ["/1", "/2"]
    assert provider.connections == 1


async def test_a_slow_answer_is_an_answer(provider: Provider, make: Made) -> None:
    gate = asyncio.Event()
    provider.then(Slow(gate, Answer(202)))
    task = asyncio.create_task(run(await make(), post(provider.url())))
    await provider.came(1)
    assert not task.done()
    gate.set()
    assert (await task).status == 202


async def test_connections_are_limited_and_shared(provider: Provider, make: Made) -> None:
    transport = await make(connections_per_host=3)
    replies = await asyncio.gather(*(run(transport, post(provider.url())) for _ in range(30)))
    assert [reply.status for reply in replies] == [200] * 30
    assert (provider.connections, provider.open_most) == (3, 3)


# --- URLs of others -----------------------------------------------------------------------------------------------


def loopback(provider: Provider, *networks: str) -> GuardSettings:
    return GuardSettings(allow_networks=networks, allow_http=True, allow_ports=(provider.port,))


@pytest.mark.parametrize(("to_media", "kind"), [(True, MediaFailed), (False, Refused)])
async def test_a_foreign_url_into_a_private_network_is_refused(
    provider: Provider, make: Made, to_media: bool, kind: type[SendError]
) -> None:
    transport = await make(loopback(provider))
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"):
        error = await failure(transport, get(provider.url("/private-path", host), foreign=True, to_media=to_media))
        assert (*facts(error), error.retryable) == (kind, True, False)
        assert error.text.startswith("URL refused")
    assert provider.connections == 0


async def test_our_own_url_is_not_guarded(provider: Provider, make: Made) -> None:
    assert (await run(await make(), get(provider.url()))).status == 200


async def test_an_allowed_network_is_reached_by_address(provider: Provider, make: Made) -> None:
    transport = await make(loopback(provider, "127.0.0.0/8"))
    assert (await run(transport, get(provider.url(), foreign=True))).status == 200


async def test_the_name_is_resolved_once_and_kept_for_the_server(provider: Provider, make: Made) -> None:
    names = Names(["127.0.0.1"])
    transport = await make(loopback(provider, "127.0.0.1/32"), resolver=lambda: names)
    assert (await run(transport, get(provider.url("/a", "files.example"), foreign=True))).status == 200
    assert names.asked == ["files.example"]
    assert provider.calls[0].headers["host"] == f"files.example:{provider.port}"


async def test_a_name_that_changes_between_check_and_use_gains_nothing(provider: Provider, make: Made) -> None:
    """Rebinding: the first answer is allowed, every later one leads to a neighbour who must not be reached.

    One call asks once and goes where the answer said. The next call asks again and is refused; no connection and no
    address of the call before is used for it.
    """
    async with Provider("127.0.0.66", provider.port) as neighbour:
        names = Names(["127.0.0.1"], ["127.0.0.66"], ["127.0.0.1", "127.0.0.66"])
        transport = await make(loopback(provider, "127.0.0.1/32"), resolver=lambda: names)
        call = get(provider.url("/private-path", "rebinding.example"), foreign=True)
        assert (await run(transport, call)).status == 200
        assert len(names.asked) == 1
        assert facts(await failure(transport, call)) == (Refused, True)
        assert facts(await failure(transport, call)) == (Refused, True)
        assert (len(names.asked), provider.connections, neighbour.connections) == (3, 1, 0)


async def test_tls_is_asked_for_by_name(make: Made, tmp_path: Path) -> None:
    """The connection goes to the checked address, the name goes into the handshake, the certificate is checked."""
    context, asked = self_signed(tmp_path), list[str | None]()
    context.sni_callback = lambda sock, name, ctx: asked.append(name)
    async with Provider(tls=context) as provider:
        guard = GuardSettings(allow_networks=("127.0.0.1/32",), allow_ports=(provider.port,))
        transport = await make(guard, resolver=lambda: Names(["127.0.0.1"]))
        error = await failure(transport, get(provider.url("/private-path", "files.example"), foreign=True))
        assert facts(error) == (NotReached, True)
        assert asked == ["files.example"]


async def test_a_foreign_redirect_is_checked_like_any_call(provider: Provider, make: Made) -> None:
    """The adapter sees it; following it is a call of its own."""
    provider.then(Answer(302, {"Location": f"http://169.254.169.254:{provider.port}/"}))
    transport = await make(loopback(provider, "127.0.0.1/32"))

    def flow() -> Flow[Reply]:
        reply = yield get(provider.url(), foreign=True)
        return (yield get(reply.headers["location"], foreign=True, to_media=True))

    with pytest.raises(MediaFailed, match="not public"):
        await transport.run(flow(), endpoint=ENDPOINT, credentials={})
