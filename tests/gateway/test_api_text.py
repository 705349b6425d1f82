"""What callers may write where a text or a number is expected: NUL, blanks, endless digits. Both databases alike."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.api_house import ApiHouse, running

NUL = "\x00"
ENDLESS = "9" * 5_000
"""Python itself refuses to read a number of so many digits."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ApiHouse]:
    url = {} if request.param == "sqlite" else {"url": request.getfixturevalue("postgres_db")}
    async with running(tmp_path, store={"data_dir": str(tmp_path), **url}) as made:
        yield made


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


NO_LANGUAGES = ("", "español", "en_US", "es-", "es\n", "e" * 9, "en" + "-abc" * 9)
MESSAGES_OF_NOTHING: list[tuple[dict[str, Any], str]] = [
    ({"text": NUL}, "$.text"),
    ({"text": " \t\n"}, "$.text"),
    ({"text": None, "parts": [{"type": "text", "text": f" {NUL}"}]}, "$.parts[0].text"),
    ({"agent_id": NUL}, "$.agent_id"),
    ({"agent_id": "  "}, "$.agent_id"),
    ({"reply_to": f"env_{NUL}"}, "$.reply_to"),
    *(({"locale": tag}, "$.locale") for tag in NO_LANGUAGES),
    ({"text": None, "parts": [{"type": "image", "media": {"stored": f"{NUL}a"}}]}, "$.parts[0].media.stored"),
    ({"text": None, "parts": [{"type": "image", "media": {"url": "file:///etc/passwd"}}]}, "$.parts[0].media.url"),
    ({"text": None, "parts": [{"type": "image", "media": {"url": f"{NUL}x"}}]}, "$.parts[0].media.url"),
]


async def test_a_message_of_nothing_is_refused_before_anybody_holds_anything(place: ApiHouse) -> None:
    id = await place.writes("hello")
    for body, path in MESSAGES_OF_NOTHING:
        got = await place.says(id, **body)
        assert (got.status, got.body["path"]) == (400, path)
    assert (await place.get(f"/v1/conversations/{id}"))["epoch"] == 1


async def test_what_holds_a_nul_goes_on_without_it(place: ApiHouse) -> None:
    id = await place.writes("hello")
    assert (await place.says(id, f"one{NUL} two", agent_id=f"an{NUL}na")).status == 201
    shown = (await place.get(f"/v1/conversations/{id}/envelopes"))["items"][-1]
    assert (shown["body"]["parts"][0]["text"], shown["agent_id"]) == ("one two", "anna")
    epoch = (await place.get(f"/v1/conversations/{id}"))["epoch"]
    got = await place.gives(id, holder="queue", queue=f"bil{NUL}ling", expected_epoch=epoch)
    assert (got.status, got.body["queue"]) == (200, "billing")


async def test_a_queue_or_agent_without_a_name_gets_nothing(place: ApiHouse) -> None:
    id = await place.writes("hello")
    for name in (NUL, " ", f"{NUL} {NUL}"):
        got = await place.gives(id, holder="queue", queue=name, expected_epoch=1)
        assert (got.status, got.body["path"]) == (400, "$.queue")
        got = await place.gives(id, holder="agent", agent_id=name, expected_epoch=1)
        assert (got.status, got.body["path"]) == (400, "$.agent_id")


PATHS = [
    ("GET", "/v1/conversations/%00", 404),
    ("GET", "/v1/conversations/cv%00/envelopes", 404),
    ("GET", "/v1/contacts/%00ct", 404),
    ("POST", "/v1/contacts/%00/unmerge", 404),
    ("GET", "/v1/channels/%00/health", 404),
    ("POST", "/v1/dead/%00/replay", 404),
    ("POST", f"/v1/dead/{ENDLESS}/replay", 404),
    ("POST", f"/v1/dead/{2**63}/replay", 404),
    ("GET", f"/v1/conversations?cursor={cursor(f'{ENDLESS}{chr(10)}cv')}", 400),
    ("GET", f"/v1/conversations?cursor={cursor(f'1{chr(10)}{NUL}')}", 200),
    ("GET", f"/v1/dead?cursor={cursor(f'inbound{chr(10)}{ENDLESS}')}", 400),
    ("GET", f"/v1/orphans?cursor={cursor(ENDLESS)}", 400),
]


async def test_what_no_id_and_no_cursor_of_ours_can_be_is_no_mistake_of_ours(place: ApiHouse) -> None:
    for method, path, status in PATHS:
        assert ((await place.call(method, path)).status, path) == (status, path)
