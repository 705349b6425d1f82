"""What a customer sees."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.sandbox.phones import React, Revise, SayChoice, SayText, TakeBack
from gateway.sandbox.screen import Choice, File, Line, Place
from tests.sandbox.test_phones import Life

IMAGE = "https://shop.example/a.png"


@pytest.fixture
def life() -> Life:
    life = Life()
    life.say(SayText("hi"))
    return life


def only(life: Life) -> Line:
    """What the business sent last."""
    return next(line for line in reversed(life.lines) if not line.mine)


def test_ticks_rise(life: Life) -> None:
    id = life.lines[0].id
    seen = [life.lines[0].tick]
    life.phones.delivered({id})
    seen.append(life.lines[0].tick)
    life.simulator.world.read.append(id)
    assert [*seen, life.lines[0].tick] == ["sent", "delivered", "read"]


def test_what_was_read_was_read_up_to_there(life: Life) -> None:
    second, third = life.say(SayText("b")), life.say(SayText("c"))
    life.phones.delivered({third.id})
    life.simulator.world.read.append(second.id)
    assert [line.tick for line in life.lines] == ["read", "read", "delivered"]


def test_what_arrives_is_unread_until_it_is_looked_at(life: Life) -> None:
    life.text("hello")
    assert (life.screen.unread, only(life).content.text) == (1, "hello")
    life.simulator.read(life.ana, life.now)
    assert life.screen.unread == 0


def test_what_did_not_arrive_is_not_there(life: Life) -> None:
    life.simulator.world.delivers = False
    life.text("hello")
    assert [line.mine for line in life.lines] == [True]


def test_typing_ends_by_itself(life: Life) -> None:
    life.business(status="read", message_id=life.lines[0].id, typing_indicator={"type": "text"})
    assert life.screen.typing
    life.now += timedelta(seconds=26)
    assert not life.screen.typing


def test_reactions_of_both_sides(life: Life) -> None:
    ours = life.lines[0].id
    theirs = life.text("hello")
    life.business(type="reaction", reaction={"message_id": ours, "emoji": "🎉"})
    life.say(React(theirs, "👍"))
    own, other = life.lines
    assert (own.reaction, other.own_reaction) == ("🎉", "👍")
    life.say(React(theirs, None))
    assert life.lines[1].own_reaction is None


def test_edits_and_deletions_change_the_message_itself(life: Life) -> None:
    first, second = life.lines[0], life.say(SayText("b"))
    life.say(Revise(first.id, "better"))
    life.say(TakeBack(second.id))
    one, other = life.lines
    assert (one.content.text, one.edited) == ("better", True)
    assert (other.content.kind, other.content.text, other.revoked) == ("revoked", None, True)


def test_choices_and_what_was_chosen(life: Life) -> None:
    buttons = [{"type": "reply", "reply": {"id": id, "title": id.upper()}} for id in ("a", "b")]
    inside = {"type": "button", "body": {"text": "Which?"}, "header": {"type": "text", "text": "H"},
              "footer": {"text": "F"}, "action": {"buttons": buttons}}  # fmt: skip
    offer = life.business(type="interactive", interactive=inside)
    shown = only(life).content
    assert (shown.text, shown.header, shown.footer) == ("Which?", "H", "F")
    assert shown.buttons == (Choice("a", "A"), Choice("b", "B"))
    life.say(SayChoice(offer, "b"))
    assert only(life).chosen == "b"
    assert life.lines[-1].content.text == "B"


def test_lists_have_sections(life: Life) -> None:
    sections = [{"title": "One", "rows": [{"id": "a", "title": "A", "description": "d"}]}]
    action = {"button": "Pick", "sections": sections}
    life.business(type="interactive", interactive={"type": "list", "body": {"text": "?"}, "action": action})
    assert only(life).content.rows == (Choice("a", "A", "d", "One"),)
    assert only(life).content.list_label == "Pick"


def test_links_places_people_and_files(life: Life) -> None:
    action = {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://shop.example"}}
    life.business(type="interactive", interactive={"type": "cta_url", "body": {"text": "?"}, "action": action})
    link = only(life).content.link
    assert link is not None
    assert (link.title, link.url) == ("Open", "https://shop.example")
    life.business(type="location", location={"latitude": 1.5, "longitude": 2.5, "name": "N"})
    assert only(life).content.place == Place(1.5, 2.5, "N")
    card = {"name": {"formatted_name": "Bo", "first_name": "Bo"}, "phones": [{"phone": "+1"}]}
    life.business(type="contacts", contacts=[card])
    assert only(life).content.text == "Bo +1"
    life.business(type="image", image={"link": IMAGE, "caption": "c"})
    assert (only(life).content.file, only(life).content.text) == (File(IMAGE), "c")


def test_own_files_and_voice_notes(life: Life) -> None:
    life.phones.file(life.ana, "document", b"%PDF", "application/pdf", life.now, filename="a.pdf")
    life.phones.file(life.ana, "voice", b"OggS", "audio/ogg", life.now)
    document, voice = (line.content.file for line in life.lines[1:])
    assert document is not None
    assert voice is not None
    assert (document.name, document.mime, document.voice) == ("a.pdf", "application/pdf", False)
    assert document.url.startswith("/sandbox/api/media/")
    assert voice.voice


def test_an_answer_names_what_it_answers(life: Life) -> None:
    life.text("hello", context={"message_id": life.lines[0].id})
    assert only(life).reply_to == life.lines[0].id
