"""Files in and out, over real HTTP: uploads of visitors, signed links, and the widget's script."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.webchat.simulator import Visitor
from gateway.store import files
from gateway.uploads import WIDGET
from tests.gateway.house import ENDPOINT, SITE, Place, config, running, soon

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
HTML = b"<!doctype html><script>alert(1)</script>"


def form(data: bytes, name: str = "cat.png", mime: str = "image/png", field: str = "file") -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field(field, data, filename=name, content_type=mime)
    return made


async def upload(place: Place, visitor: Visitor, data: Any, headers: Mapping[str, str] | None = None) -> Any:
    """Status and body of the answer."""
    sent = {"origin": SITE, "authorization": f"Bearer {visitor.token}"} | dict(headers or {})
    async with place.http.post(f"{place.url}/hooks/{ENDPOINT}/uploads", data=data, headers=sent) as answer:
        assert answer.headers["access-control-allow-origin"] == SITE
        return answer.status, json.loads(await answer.read())


def stored(place: Place) -> list[Path]:
    """Every file there is, unfinished ones included."""
    root = Path(place.core.config.store.data_dir) / "media"
    return [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]


async def test_an_upload_is_kept_and_a_message_may_bring_it(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        status, told = await upload(place, tab.visitor, form(PNG))
        assert (status, told["name"], told["size"], told["mime"]) == (201, "cat.png", len(PNG), "image/png")
        digest = sha256(PNG).hexdigest()
        row = await place.core.store.read(lambda tx: files.get(tx, digest))
        assert row is not None
        assert (row.size, row.mime) == (len(PNG), "image/png")
        for frame in tab.visitor.attach(told["attachment_id"], "c1", "look"):
            await tab.send(frame)
        await tab.frame("ack", cid="c1")
        shown = (await tab.seen(1))[0]
        assert (shown["type"], shown["content"]["text"]) == ("image", "look")
        async with place.http.get(
            place.url + shown["content"]["url"].partition(str(place.core.config.public_url))[2]
        ) as got:
            assert await got.read() == PNG
            assert (got.headers["content-type"], got.headers["x-content-type-options"]) == ("image/png", "nosniff")


@pytest.mark.parametrize(("data", "mime", "status", "code"), [
    (b"", "image/png", 422, "empty"),
    (HTML, "image/png", 415, "type_refused"),
    (HTML, "text/html", 415, "type_refused"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415, "type_refused"),
    (b"MZ" + bytes(100), "application/pdf", 415, "type_refused"),
    (PNG + bytes(2_000), "image/png", 413, "too_large"),
])  # fmt: skip
async def test_what_is_refused_leaves_nothing_behind(
    tmp_path: Path, data: bytes, mime: str, status: int, code: str
) -> None:
    async with running(config(tmp_path, webchat={"file_max_bytes": 2_000})) as place:
        visitor = await place.session()
        got, told = await upload(place, visitor, form(data, mime=mime))
        assert (got, told["code"]) == (status, code)
        assert stored(place) == []


async def test_a_file_at_the_limit_is_taken(tmp_path: Path) -> None:
    async with running(config(tmp_path, webchat={"file_max_bytes": 2_000})) as place:
        status, _ = await upload(place, await place.session(), form(PNG + bytes(2_000 - len(PNG))))
        assert status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--b\r\n\r\n",
        b"no multipart",
        b"--b--\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
    ],
)
async def test_a_body_without_a_file_is_refused(tmp_path: Path, body: bytes) -> None:
    async with running(config(tmp_path)) as place:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        status, told = await upload(place, await place.session(), body, headers)
        assert (status, told["code"]) == (422, "empty")
        assert stored(place) == []


FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + PNG + bytes(5_000)
FIELD = b"--b\r\nContent-Disposition: form-data; name=note\r\n\r\nx"


@pytest.mark.parametrize(
    "body",
    [
        FILE,
        FILE + b"\r\n",
        FILE + b"\r\n--",
        FILE + b"\r\n--b",
        FILE + b"\r\n--b-",
        FILE + b"\r\n--b\r\n",
        FILE + b"\r\n" + FIELD,
        FILE + b"\r\n--but no boundary\r\n--b--\r\n",
        FILE + (b"\r\n" + FIELD) * 8 + b"\r\n--b--\r\n",
    ],
)
async def test_a_body_that_does_not_end_as_one_is_refused_for_its_file_may_be_cut(tmp_path: Path, body: bytes) -> None:
    async with running(config(tmp_path)) as place:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        status, told = await upload(place, await place.session(), body, headers)
        assert (status, told["code"]) == (422, "empty")
        assert stored(place) == []


@pytest.mark.parametrize(
    "body",
    [
        FILE + b"\r\n--b--",
        FILE + b"\r\n--b--\r\nbye",
        FIELD + b"\r\n" + FILE + b"\r\n" + FIELD + b"\r\n--b--\r\n",
        FILE + (b"\r\n" + FIELD) * 7 + b"\r\n--b--\r\n",
    ],
)
async def test_whatever_else_a_whole_body_holds_its_file_is_taken(tmp_path: Path, body: bytes) -> None:
    async with running(config(tmp_path)) as place:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        status, told = await upload(place, await place.session(), body, headers)
        assert (status, told["size"]) == (201, len(PNG) + 5_000)


@pytest.mark.parametrize(
    "part",
    [
        b"no header\r\n\r\nx",
        b"x: y\r\n" * 200 + b"\r\nx",
        b"x: " + b"y" * 20_000 + b"\r\n\r\nx",
        b"Content-Disposition: form-data; name=_charset_\r\n\r\n" + b"x" * 50,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 3_000,
    ],
)
async def test_a_part_that_is_none_is_refused(tmp_path: Path, part: bytes) -> None:
    async with running(config(tmp_path)) as place:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        status, told = await upload(place, await place.session(), b"--b\r\n" + part + b"\r\n--b--\r\n", headers)
        assert (status, told["code"]) == (422, "empty")


async def test_an_upload_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        visitor = await place.session()
        host, _, port = place.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST /hooks/{ENDPOINT}/uploads HTTP/1.1\r\nHost: {host}\r\nOrigin: {SITE}\r\n"
            f"Authorization: Bearer {visitor.token}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            "Content-Length: 1000000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        )
        writer.write(head.encode() + PNG + bytes(600_000))
        await writer.drain()
        await soon(lambda: bool(stored(place)))
        writer.transport.abort()
        await soon(lambda: not stored(place))
        status, _ = await upload(place, visitor, form(PNG))
        assert status == 201


async def test_an_ended_session_uploads_nothing(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("bye", "c1")
        await tab.seen(2)
        await place.call(tab.visitor.leave_request())
        status, told = await upload(place, tab.visitor, form(PNG))
        assert (status, told["code"]) == (401, "unauthenticated")
        assert stored(place) == []


async def test_only_a_good_link_gets_the_file(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        await upload(place, await place.session(), form(PNG))
        core, digest = place.core, sha256(PNG).hexdigest()
        good = core.links.sign(digest, "cat.png", "image/png", core.clock.now() + timedelta(minutes=1))
        old = core.links.sign(digest, "cat.png", "image/png", core.clock.now() - timedelta(minutes=1))
        gone = core.links.sign("0" * 64, "cat.png", "image/png", core.clock.now() + timedelta(minutes=1))
        token = good.split("/")[2]
        forged = good.replace(token, token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"))
        statuses = []
        for path in (good, old, gone, forged, "/media/x/y"):
            async with place.http.get(place.url + path) as answer:
                statuses.append(answer.status)
        assert statuses == [200, 404, 404, 404, 404]


async def test_what_could_run_in_a_browser_is_downloaded_as_octets(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        await upload(place, await place.session(), form(PNG))
        core = place.core
        link = core.links.sign(sha256(PNG).hexdigest(), "x.html", "text/html", core.clock.now() + timedelta(minutes=1))
        async with place.http.get(place.url + link) as answer:
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.headers["cache-control"].startswith("private")


# --- the widget ---------------------------------------------------------------------------------------------------


async def test_the_script_is_for_every_site_and_packed(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        async with place.http.get(f"{place.url}/widget.js", headers={"accept-encoding": "identity"}) as answer:
            assert (answer.status, answer.content_type, answer.charset) == (200, "text/javascript", "utf-8")
            assert answer.headers["access-control-allow-origin"] == "*"
            plain, tag = await answer.read(), answer.headers["etag"]
        async with aiohttp.ClientSession(auto_decompress=False) as raw, raw.get(f"{place.url}/widget.js") as answer:
            assert answer.headers["content-encoding"] == "gzip"
            packed = await answer.read()
        assert gzip.decompress(packed) == plain == WIDGET.read_bytes()
        async with place.http.get(f"{place.url}/widget.js", headers={"if-none-match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")


# --- reading without a socket -------------------------------------------------------------------------------------


async def events(place: Place, visitor: Visitor, query: str) -> Any:
    headers = {"origin": SITE, "authorization": f"Bearer {visitor.token}"}
    async with place.http.get(f"{place.url}/hooks/{ENDPOINT}/{query}", headers=headers) as answer:
        assert answer.headers["access-control-allow-origin"] == SITE
        return answer.status, json.loads(await answer.read())


async def test_events_and_history_show_what_a_socket_shows(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        frames = await tab.seen(2)
        assert await events(place, tab.visitor, "events?after=0") == (200, {"events": frames, "seq": 2, "more": False})
        assert await events(place, tab.visitor, "events?after=0&limit=1") == (
            200, {"events": frames[:1], "seq": 1, "more": True},
        )  # fmt: skip
        assert await events(place, tab.visitor, "events?after=2") == (200, {"events": [], "seq": 2, "more": False})
        status, page = await events(place, tab.visitor, "history?limit=1")
        assert (status, page) == (200, {"messages": frames[1:], "has_more": True, "seq": 2})


async def test_a_long_poll_waits_for_what_comes(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        waiting = asyncio.create_task(events(place, tab.visitor, "events?after=0&wait=20"))
        await tab.say("hello", "c1")
        status, page = await waiting
        assert (status, page["events"][0]["content"]) == (200, {"text": "hello"})


async def test_a_stop_does_not_wait_for_long_polls(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        visitor = await place.session()
        waiting = asyncio.create_task(events(place, visitor, "events?after=0&wait=25"))
        leg = place.leg_of(visitor)
        await soon(lambda: leg in place.core.wake._legs)
        await place.stop()
        assert await asyncio.wait_for(waiting, 20) == (200, {"events": [], "seq": 0, "more": False})


@pytest.mark.parametrize(
    ("token", "origin", "status", "code"),
    [(None, SITE, 401, "unauthenticated"), ("wst_forged", SITE, 401, "unauthenticated"),
     ("good", "https://other.example", 403, "forbidden")],
)  # fmt: skip
async def test_a_stranger_is_told_his_code(
    tmp_path: Path, token: str | None, origin: str, status: int, code: str
) -> None:
    async with running(config(tmp_path)) as place:
        shown = (await place.session()).token if token == "good" else token
        headers = {"origin": origin} | ({"authorization": f"Bearer {shown}"} if shown else {})
        async with place.http.get(f"{place.url}/hooks/{ENDPOINT}/history", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (status, "application/problem+json")
            told = await answer.json(content_type=None)
        assert told == {"type": f"urn:throughline:{code}", "title": code, "status": status, "code": code}


async def test_an_ended_session_reads_nothing(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("bye", "c1")
        await tab.seen(2)
        await place.call(tab.visitor.leave_request())
        status, told = await events(place, tab.visitor, "history")
        assert (status, told["code"]) == (401, "unauthenticated")
