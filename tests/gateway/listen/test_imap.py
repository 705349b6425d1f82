"""A mailbox is read once, in its order, whatever its server does; and nothing in it is touched."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.clock import FrozenClock
from gateway.listen import imap
from gateway.listen.imap import HEADER_AFTER, Mark, Memory, parse_mark
from tests.gateway.listen.box import USER, Box, mail
from tests.gateway.listen.kit import Stage, until


def test_a_mark_goes_through_its_text_and_never_back() -> None:
    mark = Mark(7, 120, 100)
    assert parse_mark(str(mark)) == mark
    assert str(mark.past([118, 119])) == "7:120:100"
    assert str(mark.past([121])) == "7:121:100"
    assert parse_mark(None) is None


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_a_mail_enters_as_it_is_with_its_place(box: Box) -> None:
    box.server.deliver(USER, b"a: b\r\n\r\n* 5 EXISTS\r\n)\r\nA1 OK\r\n\xff\x00")
    async with box.kept():
        await until(lambda: box.stage.room.raws)
    (raw,) = box.stage.stored()
    assert (raw.method, raw.path, raw.origin, raw.endpoint_id) == ("MAIL", "/1/1", "dialled", "box")
    assert raw.headers == {"x-mailbox": "INBOX", "x-internal-date": "2026-01-02T03:04:05Z"}
    assert raw.body == b"a: b\r\n\r\n* 5 EXISTS\r\n)\r\nA1 OK\r\n\xff\x00"
    assert await box.stage.cursor("inbox") == "1:1:0"


async def test_mails_come_in_their_order_and_are_not_marked(box: Box) -> None:
    texts = [f"{n}" for n in range(300)]
    box.deliver(*texts)
    async with box.kept():
        await box.heard(*texts)
        await box.idling()
    assert not any(one.seen for one in box.server.mailbox(USER).mails)
    assert {command.partition(" ")[0] for command in box.server.commands} == {
        "CAPABILITY", "LOGIN", "SELECT", "NOOP", "UID", "IDLE",
    }  # fmt: skip


async def test_what_comes_while_we_listen_is_pushed(box: Box) -> None:
    async with box.kept():
        await box.idling()
        box.deliver("one")
        await box.heard("one")
        await box.idling()
        box.deliver("two", "three")
        await box.heard("one", "two", "three")


async def test_a_restart_goes_on_where_the_last_commit_was(box: Box) -> None:
    box.deliver("one", "two")
    async with box.kept():
        await box.heard("one", "two")
    box.deliver("three")
    async with box.kept():
        await box.heard("one", "two", "three")
        await box.idling()
    assert len(box.stage.room.raws) == 3


async def test_the_last_mail_that_a_server_always_names_is_not_new(box: Box) -> None:
    box.deliver("one")
    async with box.kept():
        await box.heard("one")
        box.server.drop()
        await until(lambda: sum(command == "LOGIN" for command in box.server.commands) == 2)
        await box.idling()
    assert len(box.stage.room.raws) == 1


async def test_only_the_last_days_are_read_of_a_mailbox_that_is_new_to_us(box: Box, clock: FrozenClock) -> None:
    box.server.deliver(USER, mail("old"), at=clock.now() - timedelta(days=9))
    box.server.deliver(USER, mail("recent"), at=clock.now() - timedelta(days=6))
    box.deliver("today")
    async with box.kept():
        await box.heard("recent", "today")


@pytest.mark.parametrize("uidnext", [True, False])
async def test_an_empty_mailbox_is_read_from_now_on(box: Box, clock: FrozenClock, uidnext: bool) -> None:
    box.server.deliver(USER, mail("old"), at=clock.now() - timedelta(days=99))
    box.server.faults.no_uidnext = not uidnext
    async with box.kept():
        await box.idling()
        assert await box.stage.cursor("inbox") == "1:1:1"
    box.server.deliver(USER, mail("came while we were away"), at=clock.now() - timedelta(days=98))
    async with box.kept():
        await box.heard("came while we were away")


async def test_a_mailbox_that_was_made_anew_is_read_anew(box: Box) -> None:
    box.deliver("one", "two", "three")
    box.server.expunge(USER, 1)
    async with box.kept():
        await box.heard("two", "three")
        await box.idling()
        box.server.renumber(USER)
        await until(lambda: len(box.stage.room.raws) == 4)
        box.deliver("four")
        await until(lambda: len(box.stage.room.raws) == 5)
    assert [raw.path for raw in box.stage.room.raws] == ["/1/2", "/1/3", "/2/1", "/2/2", "/2/3"]
    assert await box.stage.cursor("inbox") == "2:3:0"


async def test_what_comes_in_the_middle_of_an_answer_is_not_forgotten(box: Box) -> None:
    """Neither during the fetch, nor between the look and its end: no push tells of it again."""
    box.deliver("one")
    box.server.faults.in_fetch.append(lambda: box.deliver("two"))
    async with box.kept():
        await box.heard("one", "two")


async def test_a_number_that_is_shown_late_is_found(box: Box) -> None:
    box.stage.set(rescan_uids=20)
    box.deliver("one")
    late = box.server.skip(USER)
    box.deliver("three")
    async with box.kept():
        await box.heard("one", "three")
        await box.idling()
        box.server.deliver(USER, mail("two"), uid=late)
        await box.heard("one", "three", "two")
        await box.idling()
        box.deliver("four")
        await box.heard("one", "three", "two", "four")
    assert await box.stage.cursor("inbox") == "1:4:0"


async def test_a_mail_that_was_deleted_before_it_was_fetched_is_passed(box: Box) -> None:
    first, *_ = box.deliver("one", "two")
    box.server.faults.in_listing.append(lambda: box.server.expunge(USER, first))
    async with box.kept():
        await box.heard("two")


async def test_a_server_that_can_not_push_is_asked(box: Box) -> None:
    box.server.faults.no_idle = True
    box.set(poll_s=0.01)
    async with box.kept():
        await until(lambda: "NOOP" in box.server.commands)
        box.deliver("one")
        await box.heard("one")


async def test_a_mailbox_is_looked_at_although_nothing_was_pushed(box: Box) -> None:
    box.set(poll_s=0.01)
    async with box.kept():
        await until(lambda: sum(command == "IDLE" for command in box.server.commands) > 3)


@pytest.mark.parametrize("name", ["INBOX/Größe & Kauf", 'a "b" \\c', "日本"])
async def test_mailboxes_have_names_of_all_kinds(box: Box, name: str) -> None:
    box.deliver("one")
    box.set(mailbox=name)
    async with box.kept():
        await box.heard("one")
    assert box.stage.room.raws[0].headers["x-mailbox"] == name


# --- sizes ------------------------------------------------------------------------------------------------------------


async def test_of_a_mail_that_is_too_large_only_its_header_is_taken(box: Box) -> None:
    whole = mail("large", size=2_000)
    box.set(max_message_bytes=len(whole) - 1)
    box.server.deliver(USER, whole)
    box.deliver("small")
    async with box.kept():
        await until(lambda: len(box.stage.room.raws) == 2)
    large, small = box.stage.room.raws
    assert large.body == b"From: a@b.example\r\nSubject: large\r\n\r\n"
    assert large.headers["x-full-size"] == str(len(whole))
    assert (small.body, "x-full-size" in small.headers) == (mail("small"), False)
    assert not any("BODY.PEEK[])" in command and " 1" in command for command in box.server.commands)


async def test_a_mail_of_just_that_size_is_taken_whole(box: Box) -> None:
    whole = mail("large", size=2_000)
    box.set(max_message_bytes=len(whole))
    box.server.deliver(USER, whole)
    async with box.kept():
        await until(lambda: box.stage.room.bodies == [whole])


async def test_a_server_that_is_wrong_about_a_size_fools_nobody(box: Box) -> None:
    whole = mail("large", size=2_000)
    box.set(max_message_bytes=1_000)
    box.server.faults.size_of[1] = 100
    box.server.deliver(USER, whole)
    async with box.kept():
        await until(lambda: len(box.stage.room.raws) == 1)
    (raw,) = box.stage.room.raws
    assert (raw.headers["x-full-size"], raw.body.endswith(b"\r\n\r\n")) == (str(len(whole)), True)


async def test_a_header_is_bounded_as_well(box: Box) -> None:
    box.stage.set(header_bytes=40)
    box.set(max_message_bytes=10)
    box.deliver("long enough to be cut")
    async with box.kept():
        await until(lambda: box.stage.room.raws)
    assert len(box.stage.room.raws[0].body) == 40


async def test_what_is_kept_together_is_bounded(box: Box) -> None:
    box.stage.set(batch_bytes=2_500, batch_messages=3)
    for text in ("a", "b", "c"):
        box.server.deliver(USER, mail(text, size=1_000))
    box.server.deliver(USER, mail("d", size=9_000))
    box.deliver("e", "f", "g", "h")
    async with box.kept():
        await until(lambda: len(box.stage.room.raws) == 8)
    assert [len(batch) for batch in box.stage.room.batches if batch] == [2, 1, 1, 3, 1]


async def test_eight_megabytes_go_through(box: Box) -> None:
    whole = mail("huge", size=8_000_000)
    box.server.deliver(USER, whole)
    async with box.kept():
        await until(lambda: box.stage.room.bodies == [whole])


# --- bad mails --------------------------------------------------------------------------------------------------------


async def test_a_mail_that_the_server_refuses_enters_as_its_header(box: Box) -> None:
    box.deliver("one", "bad", "three")
    box.server.faults.refused_uids.add(2)
    box.server.faults.header_of.add(2)
    async with box.kept():
        await until(lambda: len(box.stage.room.raws) == 3)
    bodies = box.stage.room.bodies
    assert (bodies[0], bodies[2]) == (mail("one"), mail("three"))
    assert bodies[1] == b"From: a@b.example\r\nSubject: bad\r\n\r\n"
    assert box.stage.room.raws[1].headers["x-full-size"] == str(len(mail("bad")))


async def test_a_mail_that_the_server_breaks_over_blocks_nobody(box: Box) -> None:
    box.stage.set(batch_messages=2)
    box.deliver("one", "bad", "three", "four")
    box.server.faults.broken_uids.add(2)
    async with box.kept():
        await until(lambda: len(box.stage.room.raws) == 4)
        await box.idling()
    assert box.stage.room.bodies == [mail("one"), b"", mail("three"), mail("four")]
    assert await box.stage.cursor("inbox") == "1:4:0"


async def test_a_mail_under_suspicion_takes_none_of_its_neighbours_along(box: Box, stage: Stage) -> None:
    post = await stage.post(box.mounted, "inbox")
    memory = post.memory["mailbox"] = Memory().of(1)
    memory.tries[2] = HEADER_AFTER
    box.deliver("one", "suspect", "three")
    listening = asyncio.create_task(imap.listen(post, box.source))
    await until(lambda: len(stage.room.raws) == 3)
    listening.cancel()
    assert [raw.body == mail(text) for raw, text in zip(stage.room.raws, ("one", "suspect", "three"), strict=True)] == [
        True, False, True,
    ]  # fmt: skip
