"""gateway/transport/http.py: flows, and what comes back, also to the media store."""

import asyncio
import gzip
import json
from collections.abc import Generator
from pathlib import Path

import pytest

from adapters.base import (
    Auth,
    Call,
    Flow,
    MediaFailed,
    NoAnswer,
    PushCall,
    Refused,
    Reply,
    Unavailable,
)
from gateway.media import MediaStore
from gateway.transport import SeenCall
from tests.gateway.provider import Answer, HangUp, Provider, Raw, Silent
from tests.gateway.transport.kit import (
    ENDPOINT,
    PNG,
    Disk,
    Made,
    facts,
    failure,
    get,
    post,
    run,
    stored_files,
)

# --- flows ------------------------------------------------------------------------------------------------------------


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


# --- what comes back --------------------------------------------------------------------------------------------------


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


# --- to the media store -----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_file_that_is_too_large_leaves_nothing(
    provider: Provider, make: Made, tmp_path: Path, chunked: bool
) -> None:
    provider.then(Answer(200, {}, PNG, chunked=chunked))
    error = await failure(await make(), get(provider.url(), to_media=True, max_bytes=len(PNG) - 1))
    assert (*facts(error), error.text) == (MediaFailed, True, "too_large")
    assert stored_files(tmp_path) == []


async def test_a_file_that_says_it_is_too_large_is_not_read(provider: Provider, make: Made) -> None:
    """The provider announces more than it sends: reading on would be another failure."""
    provider.then(Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"))
    error = await failure(await make(), get(provider.url(), to_media=True, max_bytes=1000))
    assert error.text == "too_large"


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
