"""The sandbox's JSON API: who may ask, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.demo import ANA, Demo

PHONE = f"/sandbox/api/phones/{ANA}"


async def test_the_state_says_where_everything_is(running: Demo) -> None:
    state = await running.get("/sandbox/api")
    assert (state["url"], state["endpoint"], state["site"]) == (running.url, "whatsapp", "site")
    assert state["phones"] == [{"name": "Ana Ribeiro", "phone": ANA}]
    assert (await running.v1("/conversations"))["items"] == []


@pytest.mark.parametrize("path", ["/sandbox/api", PHONE, "/sandbox/api/changes"])
async def test_a_page_that_takes_our_address_for_its_own_name_gets_nothing(running: Demo, path: str) -> None:
    status, problem = await running.ask("GET", path, headers={"Host": "evil.example"})
    assert (status, problem["type"]) == (403, "urn:throughline:foreign_host")
    assert "token" not in problem


async def test_a_foreign_page_changes_nothing(running: Demo) -> None:
    foreign = {"Origin": "https://evil.example"}
    status, problem = await running.ask("POST", f"{PHONE}/messages", {"type": "text", "text": "x"}, headers=foreign)
    assert (status, problem["type"]) == (403, "urn:throughline:foreign_origin")
    own = {"Origin": running.url}
    assert (await running.ask("POST", f"{PHONE}/messages", {"type": "text", "text": "x"}, headers=own))[0] == 201


BAD: list[tuple[str, str, Any, int]] = [
    ("POST", f"{PHONE}/messages", {"type": "poem"}, 400),
    ("POST", f"{PHONE}/messages", {"type": "text"}, 400),
    ("POST", f"{PHONE}/messages", {"type": "text", "text": ""}, 400),
    ("POST", f"{PHONE}/messages", {"type": "text", "text": "a" * 4097}, 400),
    ("POST", f"{PHONE}/messages", {"type": "text", "text": "a", "extra": 1}, 400),
    ("POST", f"{PHONE}/messages", {"type": "location", "latitude": 91, "longitude": 0}, 400),
    ("POST", f"{PHONE}/messages", {"type": "choice", "message": "x", "id": "y"}, 404),
    ("POST", f"{PHONE}/messages", [], 400),
    ("POST", "/sandbox/api/phones/447700900123/messages", {"type": "text", "text": "a"}, 404),
    ("POST", "/sandbox/api/phones", {"name": "A", "phone": "1"}, 400),
    ("POST", "/sandbox/api/phones", {"name": "", "phone": "447700900123"}, 400),
    ("PATCH", "/sandbox/api/switches", {"phones_off": True}, 400),
    ("PATCH", "/sandbox/api/switches", {"batch": 0}, 400),
    ("PATCH", "/sandbox/api/switches", {"faults": ["418"]}, 400),
    ("PATCH", "/sandbox/api/switches", {"faults": ["429"] * 51}, 400),
    ("GET", "/sandbox/api/changes?after=x", None, 400),
    ("GET", "/sandbox/api/changes?wait_s=3600", None, 400),
    ("GET", "/sandbox/api/media/none", None, 404),
    ("GET", "/sandbox/api/stored/none", None, 404),
    ("POST", f"{PHONE}/files?kind=poem", None, 400),
    ("POST", f"{PHONE}/files", None, 400),
]


async def test_what_cannot_be_done_is_said(running: Demo) -> None:
    for method, path, body, status in BAD:
        got, problem = await running.ask(method, path, body)
        assert got == status, (path, body, problem)
        assert problem["detail"], (path, body)
        assert problem["type"].startswith("urn:throughline:"), (path, body)
    assert (await running.get(PHONE))["messages"] == []


async def test_only_json_is_read(running: Demo) -> None:
    path, json = f"{running.url}{PHONE}/messages", "application/json"
    long = b'"' + b"a" * 70_000
    for data, kind, status in (
        (b"{}", "text/plain", 415),
        (b"{", json, 400),
        (b"[" * 9000, json, 400),
        (long, json, 413),
    ):
        async with running.session.post(path, data=data, headers={"Content-Type": kind}) as answer:
            assert answer.status == status


async def test_a_new_phone_is_there_at_once(running: Demo) -> None:
    status, screen = await running.ask("POST", "/sandbox/api/phones", {"name": "Bo", "phone": "+44 7700 900123"})
    assert (status, screen["name"], screen["phone"], screen["messages"]) == (201, "Bo", "447700900123", [])
    assert [one["name"] for one in (await running.get("/sandbox/api"))["phones"]] == ["Ana Ribeiro", "Bo"]


async def test_a_switch_that_is_not_named_stays(running: Demo) -> None:
    await running.ask("PATCH", "/sandbox/api/switches", {"batch": 7})
    status, switches = await running.ask("PATCH", "/sandbox/api/switches", {"duplicates": True})
    assert (status, switches["batch"], switches["duplicates"]) == (200, 7, True)


@pytest.mark.parametrize(
    ("mime", "shown"),
    [
        ("image/png", "image/png"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
    ],
)
async def test_a_file_that_could_run_scripts_is_not_shown(running: Demo, mime: str, shown: str) -> None:
    path = f"{running.url}{PHONE}/files?kind=document"
    async with running.session.post(path, data=b"<script>", headers={"Content-Type": mime}) as answer:
        assert answer.status == 201
    (message,) = (await running.get(PHONE))["messages"]
    async with running.session.get(running.url + message["content"]["file"]["url"]) as answer:
        assert answer.content_type == shown
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("inline" if shown == mime else "attachment")


async def test_a_file_too_large_is_refused(running: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sandbox.api.MAX_FILE_BYTES", 10)
    path, kind = f"{running.url}{PHONE}/files?kind=image", {"Content-Type": "image/png"}
    for data, status in ((b"a" * 11, 413), (b"", 400), (b"a" * 10, 201)):
        async with running.session.post(path, data=data, headers=kind) as answer:
            assert answer.status == status


async def test_the_provider_asks_for_its_token(running: Demo) -> None:
    status, error = await running.ask("GET", "/sandbox/graph/v24.0/106540352242922")
    assert (status, error["error"]["code"]) == (401, 190)
