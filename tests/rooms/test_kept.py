"""Promise 7: nothing that comes in is dropped, and no message is lost with its media. Promise 9: nobody is guessed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from normalizer import codec
from normalizer.envelope import Image, MediaRef, Message, Unsupported
from tests.gateway.provider import Answer
from tests.rooms.world import World, text

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 64 + b"\xff\xd9"
SHA256 = hashlib.sha256(JPEG).hexdigest()


def picture(id: str) -> dict[str, Any]:
    image = {"id": "media-1", "mime_type": "image/jpeg", "sha256": SHA256, "caption": "look"}
    return {"from": "16505551234", "id": id, "timestamp": "1749416383", "type": "image", "image": image}


async def first_media(world: World) -> MediaRef:
    body = codec.decode((await world.shown())[0].row.content).body
    assert isinstance(body, Message)
    (part,) = body.parts
    assert isinstance(part, Image)
    return part.media


def found(world: World) -> Answer:
    url = world.graph.url("/bytes")
    return Answer(body=json.dumps({"url": url, "mime_type": "image/jpeg", "sha256": SHA256, "file_size": 81}).encode())


async def test_what_has_no_word_is_kept_with_its_raw(world: World) -> None:
    odd = {"from": "16505551234", "id": "in.1", "timestamp": "1749416383", "type": "hologram", "hologram": {"z": 3}}
    await world.post(odd)
    (shown,) = await world.shown()
    body = codec.decode(shown.row.content).body
    assert isinstance(body, Unsupported)
    assert "hologram" in body.what
    assert shown.row.raw is not None
    assert json.loads(bytes(shown.row.raw))["hologram"] == {"z": 3}


async def test_an_unknown_account_is_kept_and_listed(world: World) -> None:
    await world.post(text("in.1"), account="999")
    assert world.dead() == [(0, "unknown_account")]
    assert b"in.1" in world.table("dead", "raw")[0][0]
    assert await world.conversations() == []


async def test_the_request_is_kept_once_for_all_that_died_of_it(world: World) -> None:
    await world.post(text("in.1"), text("in.2"), account="999")
    assert world.dead() == [(0, "unknown_account"), (1, "unknown_account")]
    assert [len(row[0]) > 0 for row in world.table("dead", "raw")] == [True, False]


async def test_an_endpoint_that_is_gone_keeps_what_came_for_it(world: World) -> None:
    await world.post(text("in.1"), parse=False)
    del world.directory.endpoints["wa"]  # type: ignore[arg-type]
    await world.processor.drain()
    assert world.dead() == [(0, "unknown_endpoint")]


async def test_media_are_fetched_and_the_message_knows_them(world: World) -> None:
    world.graph.then(found(world), Answer(headers={"Content-Type": "image/jpeg"}, body=JPEG))
    await world.post(picture("in.1"))
    await world.run()
    media = await first_media(world)
    assert (media.stored, media.sniffed, media.size, media.failed) == (SHA256, "image/jpeg", len(JPEG), None)
    assert world.table("media_use", "sha256", "place") == [(SHA256, 0)]


async def test_a_new_caption_loses_no_picture(world: World) -> None:
    world.graph.then(found(world), Answer(headers={"Content-Type": "image/jpeg"}, body=JPEG))
    await world.post(picture("in.1"))
    await world.run()
    new = {**picture("in.2")["image"], "caption": "look here"}
    await world.post({"from": "16505551234", "id": "edit.1", "timestamp": "1749416384", "type": "edit",
                      "edit": {"original_message_id": "in.1", "message": {"type": "image", "image": new}}})  # fmt: skip
    assert (await world.talk())[0] == "customer: look here"
    assert (await first_media(world)).stored == SHA256


async def test_a_failing_download_keeps_the_message_and_is_tried_again(world: World) -> None:
    world.graph.then(Answer(500), Answer(500), found(world), Answer(headers={"Content-Type": "image/jpeg"}, body=JPEG))
    await world.post(picture("in.1"))
    await world.run()
    assert await world.talk() == ["customer: look", "ai: re: [image] look"]
    for _ in range(3):
        world.clock.advance(60)
        await world.run()
    assert (await first_media(world)).stored == SHA256


async def test_media_that_are_gone_leave_the_message_with_its_reason(world: World) -> None:
    await world.post(picture("in.1"))
    for _ in range(9):
        await world.run()
        world.clock.advance(901)
    media = await first_media(world)
    assert (media.stored, bool(media.failed)) == (None, True)
    assert [row for row in world.commands("fetch_media") if row.state < 10] == []


async def test_hostile_text_is_stored_and_answered(world: World) -> None:
    await world.post(text("in.1", "a\x00b \ud83d c"), text("in.2", "next"))
    await world.run()
    assert (await world.talk())[0] == "customer: ab \ufffd c"
    assert world.dead() == []


# --- who is it? -------------------------------------------------------------------------------------------------------


async def test_two_channels_of_one_number_are_one_conversation(world: World) -> None:
    await world.post(text("in.1"))
    await world.post(text("in.2"), account="106540352242923")
    assert len(await world.conversations()) == 1


async def test_a_person_who_proves_himself_in_two_sessions_is_one(world: World) -> None:
    for session in ("s1", "s2"):
        await world.frame(session, id="1", text="hi")
        await world.frame(session, id="2", person="p1")
        await world.frame(session, id="3", text="me")
    talks = sorted([await world.talk(one) for one in await world.conversations()], key=len)
    assert [len([line for line in talk if line.startswith("customer")]) for talk in talks] == [1, 3]


async def test_one_session_cannot_be_two_persons(world: World) -> None:
    await world.frame("s1", id="1", person="p1")
    outcome = await world.frame("s1", id="2", person="p2")
    assert outcome is not None
    assert outcome.error == "identity_taken"


async def test_two_who_type_the_same_address_stay_two(world: World) -> None:
    """What was typed proves nothing: a stranger who types your address is not you."""
    for session in ("s1", "s2"):
        await world.frame(session, id="1", text="hi", says=["mailto:ann@example.org"])
    assert [await world.talk(one) for one in await world.conversations()] == [["customer: hi"]] * 2


async def test_nobody_is_linked_to_whom_he_claims_to_be(world: World) -> None:
    await world.frame("s1", id="1", text="hi", says=["mailto:ann@example.org"])
    await world.frame("s2", id="1", text="hi")
    await world.frame("s2", id="2", text="hi", says=["mailto:ann@example.org"])
    assert world.table("contact", "parent_id") == [(None,), (None,)]
