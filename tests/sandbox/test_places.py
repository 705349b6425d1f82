"""The API of the places."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.demo import ANA, Demo
from tests.sandbox.test_host import PNG

SMS = f"/sandbox/api/places/sms/people/{ANA}"
BAD: list[tuple[str, str, Any, int]] = [
    ("GET", f"/sandbox/api/places/fax/people/{ANA}", None, 404),
    ("GET", "/sandbox/api/places/sms/people/447700900123", None, 404),
    ("GET", f"{SMS}?after=x", None, 400),
    ("GET", f"{SMS}?wait_s=3600", None, 400),
    ("POST", SMS, {"type": "text", "text": "x", "extra": 1}, 400),
    ("POST", f"{SMS}/files", None, 400),
    ("POST", f"/sandbox/api/places/voice/people/{ANA}/files", None, 400),
    ("PATCH", "/sandbox/api/places/sms/switches", {"faults": ["418"]}, 400),
    ("PATCH", "/sandbox/api/places/sms/switches", {"faults": ["429"] * 51}, 400),
    ("PATCH", "/sandbox/api/places/slack/switches", {"receipts": "late"}, 400),
    ("PATCH", "/sandbox/api/places/fax/switches", {}, 404),
    ("GET", "/sandbox/api/places/sms/files/none", None, 404),
    ("GET", "/sandbox/api/places/mail/files/none", None, 404),
]


async def test_what_cannot_be_done_is_said(running: Demo) -> None:
    for method, path, body, status in BAD:
        got, problem = await running.ask(method, path, body)
        assert got == status, (path, body, problem)
        assert problem["detail"], path


@pytest.mark.parametrize("place", ["sms", "slack", "voice", "mail"])
async def test_a_page_from_elsewhere_gets_and_changes_nothing(running: Demo, place: str) -> None:
    path = f"/sandbox/api/places/{place}/people/{ANA}"
    assert (await running.ask("GET", path, headers={"Host": "evil.example"}))[0] == 403
    foreign = {"Origin": "https://evil.example"}
    assert (await running.ask("POST", path, {"type": "ring"}, headers=foreign))[0] == 403
    assert (await running.ask("PATCH", f"/sandbox/api/places/{place}/switches", {}, headers=foreign))[0] == 403


async def test_a_file_must_have_bytes_and_a_type(running: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sandbox.places.MAX_FILE_BYTES", len(PNG))
    for data, mime, status in ((b"", "image/png", 400), (PNG, "picture", 415), (PNG + b"x", "image/png", 413)):
        async with running.session.post(f"{running.url}{SMS}/files", data=data, headers={"Content-Type": mime}) as got:
            assert got.status == status
    assert await running.upload("sms", PNG, "image/png")


async def test_a_file_that_could_run_scripts_is_not_shown(running: Demo) -> None:
    await running.upload("sms", b"<script>", "text/html")
    screen = await running.see("sms", lambda screen: screen["rooms"][0]["messages"])
    url = running.url + screen["rooms"][0]["messages"][0]["content"]["file"]["url"]
    async with running.session.get(url) as answer:
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_every_provider_asks_for_its_credentials(running: Demo) -> None:
    sms = await running.ask("GET", "/sandbox/provider/sms/2010-04-01/Accounts/AC0/Messages.json")
    voice = await running.ask("GET", "/sandbox/provider/voice/2010-04-01/Accounts/AC0/Calls.json")
    assert {sms[0], voice[0]} <= {401, 404}
    assert (await running.ask("POST", "/sandbox/provider/slack/api/auth.test"))[1]["error"] == "not_authed"
    async with running.session.get(f"{running.url}/files-pri/T0-F1/download") as answer:
        assert answer.content_type == "text/html"
    assert (await running.ask("GET", "/sandbox/provider/fax/x"))[0] == 404


async def test_a_new_customer_is_known_at_every_place(running: Demo) -> None:
    await running.ask("POST", "/sandbox/api/phones", {"name": "Bo Lee", "phone": "+44 7700 900123"})
    assert (await running.get("/sandbox/api"))["people"][1]["email"] == "bo.lee@home.example"
    for place in ("sms", "slack", "voice", "mail"):
        await running.get(f"/sandbox/api/places/{place}/people/447700900123")
