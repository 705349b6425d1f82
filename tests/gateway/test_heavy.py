"""The reader's process: what it gives back, what becomes of it when it is slow or dies."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
import pytest_asyncio

from adapters import REGISTRY
from adapters.base import Malformed, RawInbound
from gateway.heavy import Failed, HeavyReader, Read, Unreadable, read_one
from normalizer.envelope import Message, media_parts
from normalizer.ids import EndpointId

ENDPOINT = EndpointId("post")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SETTINGS = {
    "verify_token": "v", "access_token": "t", "app_secrets": ["s" * 32], "phone_number_id": "1", "waba_id": "2"
}  # fmt: skip
MAIL = {
    "addresses": ["help@shop.example"], "token_keys": ["k" * 32], "imap_host": "127.0.0.1", "imap_password": "p",
    "smtp_host": "127.0.0.1", "smtp_password": "p",
}  # fmt: skip
LETTER = b"""From: Ana <ana@example.org>\r
To: help@shop.example\r
Subject: Photo\r
Message-ID: <1@example.org>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
Here it is.\r
--b\r
Content-Type: image/png\r
Content-Disposition: attachment; filename=a.png\r
Content-Transfer-Encoding: base64\r
\r
iVBORw0KGgo=\r
--b--\r
"""


def plans(type_: str, settings: object) -> dict[EndpointId, tuple[str, object]]:
    return {ENDPOINT: (type_, msgspec.convert(settings, REGISTRY[type_].config))}


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[HeavyReader]:
    made = HeavyReader(plans("mail", MAIL), 20_000)
    yield made
    await made.close()


def raw(body: bytes, **facts: object) -> RawInbound:
    more = {"method": "MAIL", "origin": "dialled"} | facts
    return RawInbound(id="1", endpoint_id=ENDPOINT, received_at=NOW, body=body, **more)  # type: ignore[arg-type]


async def test_envelopes_and_files_come_back_as_they_are_here(reader: HeavyReader) -> None:
    here = read_one(REGISTRY["mail"].build(ENDPOINT, plans("mail", MAIL)[ENDPOINT][1]), raw(LETTER))
    there = await reader.read(raw(LETTER))
    assert isinstance(here, Read)
    assert there == here
    ((envelope, slice_),) = there.envelopes
    assert isinstance(envelope.body, Message)
    assert slice_ is not None
    ((_, part),) = media_parts(envelope.body)
    assert [(file.ref, file.data) for file in there.files] == [(part.media.external_id, b"\x89PNG\r\n\x1a\n")]


async def test_one_process_reads_one_after_the_other(reader: HeavyReader) -> None:
    many = await asyncio.gather(*(reader.read(raw(LETTER)) for _ in range(5)))
    assert len({str(one.envelopes) for one in many}) == 1


async def test_what_is_not_what_the_provider_documents_is_malformed() -> None:
    reader = HeavyReader(plans("whatsapp", SETTINGS), 20_000)
    with pytest.raises(Malformed, match="documented"):
        await reader.read(raw(b"[]", method="POST"))
    await reader.close()


async def test_what_is_too_slow_is_ended_with_its_process_and_the_next_one_is_read(reader: HeavyReader) -> None:
    await reader.read(raw(LETTER))
    first = reader._process
    assert first is not None
    os.kill(first.pid, 19)  # it stands still, as if it were reading for ever
    reader._timeout_s = 0.2
    with pytest.raises(Unreadable) as caught:
        await reader.read(raw(LETTER))
    assert caught.value.reason == "too_slow"
    assert first.returncode == -9
    reader._timeout_s = 20
    assert await reader.read(raw(LETTER))


async def test_a_reader_that_dies_costs_the_row_that_it_read(reader: HeavyReader) -> None:
    await reader.read(raw(LETTER))
    assert reader._process is not None
    reader._process.kill()
    with pytest.raises(Unreadable) as caught:
        await reader.read(raw(LETTER))
    assert caught.value.reason == "adapter_error"
    assert await reader.read(raw(LETTER))


def test_a_defect_of_an_adapter_is_told_by_its_class_alone() -> None:
    class Broken:
        def parse(self, raw: RawInbound) -> list[object]:
            raise ZeroDivisionError("secret words")

    assert read_one(Broken(), raw(b"")) == Failed(False, "ZeroDivisionError")  # type: ignore[arg-type]
