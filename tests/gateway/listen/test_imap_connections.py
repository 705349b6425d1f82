"""Connections of a mailbox that break, refused logins, a store in trouble: nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Literal

import pytest

from adapters.base import Login, Server
from gateway.listen import imap
from gateway.listen.base import Trouble
from gateway.sandbox.imap import ImapServer
from gateway.store import cursors
from gateway.store.intake import LostClaim
from tests.gateway.listen.box import PASSWORD, USER, Box, mail
from tests.gateway.listen.kit import Stage, Tokens, until
from tests.gateway.transport.kit import self_signed

# --- connections ------------------------------------------------------------------------------------------------------


async def test_a_server_that_says_good_bye_is_dialled_again(box: Box) -> None:
    box.server.faults.bye_on_idle = 2
    async with box.kept():
        await box.idling()
        box.deliver("one")
        await box.heard("one")
    assert sum(command == "LOGIN" for command in box.server.commands) == 3


async def test_what_came_while_the_connection_was_lost_is_read(box: Box) -> None:
    async with box.kept():
        await box.idling()
        box.server.drop()
        box.deliver("one")
        await box.heard("one")


async def test_a_connection_that_is_only_half_open_shows_when_it_is_looked_at(box: Box) -> None:
    box.stage.set(command_timeout_ms=50)
    box.set(poll_s=0.05)
    async with box.kept() as keeper:
        await box.idling()
        box.server.faults.silent = True
        await until(lambda: keeper.post is not None and keeper.post.trouble == "no_answer")
        box.server.faults.silent = False
        box.deliver("one")
        await box.heard("one")


async def test_a_server_that_never_greets_is_given_up(box: Box) -> None:
    box.stage.set(connect_timeout_ms=30)
    box.server.faults.silent = True
    assert (await box.trouble()).code == "no_answer"


async def test_nobody_listens_there(box: Box) -> None:
    await box.server.close()
    trouble = await box.trouble()
    assert (trouble.code, trouble.pause_s) == ("not_reached", None)


async def test_a_refused_password_is_not_tried_again_soon(box: Box) -> None:
    box.server.faults.refused_logins = 9
    trouble = await box.trouble()
    assert (trouble.code, trouble.pause_s) == ("login_refused", box.stage.settings.refused_pause_s)
    assert list(box.server.commands).count("LOGIN") == 1


async def test_a_server_that_has_no_room_is_asked_again(box: Box) -> None:
    box.server.faults.busy_logins = 1
    trouble = await box.trouble()
    assert (trouble.code, trouble.pause_s) == ("busy", None)


async def test_a_password_that_no_line_can_hold_is_no_defect(box: Box, stage: Stage) -> None:
    stage.credentials = Tokens(stage, "a\r\nA1 DELETE INBOX")
    assert (await box.trouble()).code == "login_unsendable"
    assert list(box.server.commands) == ["CAPABILITY"]


# --- tokens -----------------------------------------------------------------------------------------------------------


async def test_a_token_that_has_run_out_is_renewed_and_tried_once_more(box: Box, stage: Stage) -> None:
    """The server tells why before it says NO, and waits for an empty line."""
    tokens = stage.credentials = Tokens(stage, "old", PASSWORD)
    box.set(login=Login(user=USER, credential="password", scheme="xoauth2"))
    box.deliver("one")
    async with box.kept():
        await box.heard("one")
    assert tokens.refusals == ["old"]
    assert list(box.server.commands).count("AUTHENTICATE") == 2


async def test_a_token_that_is_refused_twice_is_not_tried_again_soon(box: Box, stage: Stage) -> None:
    tokens = stage.credentials = Tokens(stage, "old", "new", "newer")
    box.set(login=Login(user=USER, credential="password", scheme="xoauth2"))
    post = await stage.post(box.mounted, "inbox")
    pauses = []
    for _ in range(2):
        with pytest.raises(Trouble) as refused:
            await imap.listen(post, box.source)
        pauses.append(refused.value.pause_s)
    assert pauses == [0, stage.settings.refused_pause_s]
    assert tokens.refusals == ["old", "new"]


# --- the store --------------------------------------------------------------------------------------------------------


async def test_while_the_store_is_in_trouble_nothing_is_passed(box: Box) -> None:
    box.deliver("one")
    async with box.kept() as keeper:
        await box.heard("one")
        box.stage.room.fail = 3
        box.deliver("two")
        await box.heard("one", "two")
        assert keeper.post is not None
        assert keeper.post.trouble is None
    assert await box.stage.cursor("inbox") == "1:2:0"


async def test_while_the_disk_is_full_nothing_is_taken_in(box: Box) -> None:
    async with box.kept() as keeper:
        await box.idling()
        box.stage.is_full = True
        box.deliver("one")
        await until(lambda: keeper.post is not None and keeper.post.trouble == "disk_full")
        assert box.stage.room.raws == []
        box.stage.is_full = False
        await box.heard("one")


async def test_who_lost_the_source_writes_nothing_any_more(box: Box) -> None:
    post = await box.stage.post(box.mounted, "inbox")
    box.deliver("one")
    listening = asyncio.create_task(imap.listen(post, box.source))
    await box.idling()
    box.stage.store.write_now(cursors.void_leases)
    other = box.stage.store.write_now(lambda tx: cursors.take(tx, post.lease.endpoint_id, "inbox", "other", 9))
    assert other is not None
    box.deliver("two")
    with pytest.raises(LostClaim):
        await listening
    assert box.stage.room.bodies == [mail("one")]


class Slow(asyncio.Event):
    """A commit that takes until it is set."""

    begun = False

    async def wait(self) -> Literal[True]:
        self.begun = True
        return await super().wait()


async def test_a_connection_that_breaks_while_the_store_commits(box: Box) -> None:
    """Whether the next session finds it done or is told so when it tries itself: the mail is there once."""
    box.stage.set(lease_ms=300)
    async with box.kept():
        await box.idling()
        commit = box.stage.room.hold = Slow()
        box.deliver("one")
        await until(lambda: commit.begun)
        box.server.drop()
        commit.set()
        await until(lambda: list(box.server.commands).count("LOGIN") >= 2)
        box.deliver("two")
        await until(lambda: box.stage.room.bodies[-1:] == [mail("two")])
    assert [raw.body for raw in box.stage.stored()] == [mail("one"), mail("two")]


# --- encryption -------------------------------------------------------------------------------------------------------


async def tls_server(box: Box, folder: Path) -> ImapServer:
    server = ImapServer(lambda user, secret: True, box.stage.clock.now)
    port = await server.start(tls=self_signed(folder))
    box.set(server=Server(host="127.0.0.1", port=port, security="tls"))
    return server


async def test_over_tls_with_a_certificate_that_we_were_given(box: Box, tmp_path: Path) -> None:
    server = await tls_server(box, tmp_path)
    box.stage.set(ca_file=str(tmp_path / "both.pem"))
    server.deliver(USER, mail("one"))
    async with box.kept():
        await box.heard("one")
    await server.close()


async def test_a_certificate_of_nobody_is_not_trusted(box: Box, tmp_path: Path) -> None:
    server = await tls_server(box, tmp_path)
    assert (await box.trouble()).code == "tls"
    assert list(server.commands) == []
    await server.close()


async def test_tls_where_there_is_none(box: Box) -> None:
    box.set(server=Server(host="127.0.0.1", port=box.port, security="tls"))
    assert (await box.trouble()).code in ("tls", "hung_up", "not_reached")


def test_contexts_of_tests_are_strict() -> None:
    """The test above would prove nothing if nobody checked certificates."""
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
