"""The provider's side, against the adapter: each is a check of the other."""

import json

import pytest

from adapters.base import Reply
from adapters.slack.simulator_world import StoredFile
from normalizer.address import Address, Scheme
from normalizer.envelope import (
    AddressChange,
    AddressClaim,
    ChoiceMade,
    Document,
    Edit,
    Evidence,
    Failure,
    Image,
    MediaRef,
    Message,
    Reaction,
    Receipt,
    ReplyTo,
    Revoke,
    Status,
    Text,
    Unsupported,
)
from normalizer.ids import ExternalId
from tests.adapters.slack.simulated import (
    ADAPTER,
    LATER,
    ana,
    bodies,
    envelopes,
    exchange,
    room,
    stranger,
    text,
    workspace,
)
from tests.adapters.slack.support import SUBJECT
from tests.kit import as_raw, check_refused, check_round_trip
from tests.kit.cases import NOW


def test_what_is_said_is_what_is_read() -> None:
    """A direct message, verified by its signature."""
    simulated = workspace()
    simulated.say(ana(), "where is 7 &amp; 8?", NOW)
    (request,) = simulated.due(NOW)
    (envelope,) = check_round_trip(SUBJECT, request, [Message(parts=(Text("where is 7 & 8?"),))])
    assert (str(envelope.party.address), envelope.account, envelope.group) == ("slack:T1/U1", "T1", None)


def test_a_mention_in_a_channel_is_told_twice() -> None:
    """Under two event ids; it is one message."""
    simulated = workspace()
    simulated.say(ana(), "<@UBOT> hi", NOW, room=room(simulated))
    first, second = envelopes(simulated)
    assert first.id == second.id
    assert {first.observed, second.observed} == {False}
    assert first.dedupe_keys != second.dedupe_keys


def test_somebody_of_another_company() -> None:
    """The outermost team is where the event came from."""
    simulated = workspace()
    simulated.say(stranger(), "<@UBOT> hi", NOW, room=room(simulated, is_shared=True))
    (request, _) = simulated.due(NOW)
    assert json.loads(request.body)["team_id"] == "T9"
    (envelope,) = ADAPTER.parse(as_raw(SUBJECT, request))
    assert (str(envelope.party.address), str(envelope.group), envelope.account) == (
        "slack:T9/U9", "slack:T1/C1", "T1",
    )  # fmt: skip


def test_changes() -> None:
    """An edit, a preview, a reaction there and back, a deletion."""
    simulated = workspace()
    direct = simulated.direct(ana())
    ts = simulated.say(ana(), "hi", NOW)
    target = ExternalId(f"{direct.id}:{ts}")
    simulated.unfurl(direct, ts, NOW)
    simulated.edit(direct, ts, "hi2", LATER)
    simulated.react(ana(), direct, ts, "tada", LATER)
    simulated.react(ana(), direct, ts, "tada", LATER, takes_back=True)
    simulated.delete(direct, ts, LATER)
    assert bodies(simulated, LATER) == [
        Message(parts=(Text("hi"),)),
        Unsupported(what="message:unchanged", visible=False),
        Edit(target, (Text("hi2"),)),
        Reaction(target, "🎉"),
        Reaction(target),
        Revoke(target),
    ]


def test_what_is_nobodys_words() -> None:
    """Joins, other bots of both kinds, and what becomes of the app."""
    simulated = workspace()
    channel = room(simulated)
    simulated.happen(channel, "channel_join", ana(), NOW)
    simulated.bot_says(channel, "deployed", NOW)
    simulated.bot_says(channel, "deployed", NOW, classic=True)
    simulated.limit_events(NOW)
    simulated.convert(channel, "G8", NOW)
    simulated.uninstall(NOW)
    found = envelopes(simulated)
    assert [(e.observed, e.automated) for e in found[1:3]] == [(True, True)] * 2
    assert [e.body for e in found[3:]] == [
        Unsupported(
            what="app_rate_limited",
            failures=(Failure("throttled", "more than 30,000 events in an hour: Slack withholds some"),),
            visible=False,
        ),
        AddressChange(
            old=(_group("C1"),), new=(AddressClaim(_group("G8"), Evidence.CHANNEL),), reason="channel_id_changed"
        ),
        Unsupported(
            what="tokens_revoked",
            failures=(Failure("credentials_refused", "tokens of the app were revoked"),),
            visible=False,
        ),
        Unsupported(
            what="app_uninstalled",
            failures=(Failure("credentials_refused", "the app was removed from the workspace"),),
            visible=False,
        ),
    ]


def _group(id: str) -> Address:
    return Address(Scheme.SLACK, f"T1/{id}")


def test_commands_and_forms() -> None:
    """They come as forms."""
    simulated = workspace()
    simulated.command(ana(), "/order", "7", NOW)
    simulated.submit(stranger(), "return", {"b": {"why": {"type": "plain_text_input", "value": "small"}}}, NOW)
    command, form = envelopes(simulated)
    assert command.body == Message(parts=(Text("/order 7"),))
    assert (str(form.party.address), form.account) == ("slack:T9/U9", "T1")
    values = '{"b": {"why": {"type": "plain_text_input", "value": "small"}}}'
    assert form.body == Message(parts=(ChoiceMade("return", "Return", form=values),))


@pytest.mark.parametrize("hidden", [False, True])
def test_a_choice_of_ours(hidden: bool) -> None:
    """We ask, they press; with and without the message in the payload."""
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    offer = {"type": "choices_offered", "text": "Which?", "choices": [{"id": "o7", "title": "Order 7"}]}
    sent = exchange(simulated, {"kind": "message", "parts": [offer]})
    assert sent.value is not None
    (id,) = sent.value
    direct = simulated.direct(next(iter(simulated.world.people.values())))
    simulated.press(ana(), direct, id.partition(":")[2], "o7", LATER, hidden=hidden)
    *_, made = bodies(simulated, LATER)
    assert made == Message(parts=(ChoiceMade("o7", "Order 7"),), reply_to=ReplyTo(ExternalId(id)))
    with pytest.raises(KeyError):
        simulated.press(ana(), direct, id.partition(":")[2], "o8", LATER)


def test_a_menu_of_ours() -> None:
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    choices = [{"id": f"c{n}", "title": f"Colour {n}", "section": f"s{n % 2}"} for n in range(9)]
    offer = {"type": "choices_offered", "text": "Which?", "choices": choices}
    sent = exchange(simulated, {"kind": "message", "parts": [offer]})
    assert sent.value is not None
    direct = simulated.world.rooms["D1"]
    simulated.press(ana(), direct, sent.value[0].partition(":")[2], "c5", LATER)
    *_, made = bodies(simulated, LATER)
    assert isinstance(made, Message)
    assert made.parts == (ChoiceMade("c5", "Colour 5"),)


# --- what the app says --------------------------------------------------------------------------------------------


def test_a_conversation_in_a_thread() -> None:
    """They mention us, we answer below it, they answer below that."""
    simulated = workspace()
    channel = room(simulated)
    ts = simulated.say(ana(), "<@UBOT> late!", NOW, room=channel)
    (first, _) = envelopes(simulated)
    sent = exchange(simulated, text(), to=str(first.group), thread=first.native_thread)
    assert sent.value is not None
    answer = simulated.world.said["C1", sent.value[0].partition(":")[2]]
    assert (answer.thread_ts, answer.text, answer.by_app) == (ts, "hello", True)
    simulated.say(ana(), "thanks", LATER, room=channel, thread=ts, parent_user_id="UBOT")
    _, reply = envelopes(simulated, LATER)
    assert (reply.native_thread, reply.observed) == (ts, False)


def test_our_messages_come_back_with_our_key() -> None:
    """As receipts, which complete a send whose answer was lost."""
    simulated = workspace(faults=["lost"])
    simulated.say(ana(), "hi", NOW)
    sent = exchange(simulated, text())
    assert sent.value is not None
    (_, echo) = envelopes(simulated)
    assert echo.body == Receipt(status=Status.SENT, target=ExternalId(sent.value[0]))
    assert echo.echo_key == "cmd_1:0"
    without = workspace()
    without.with_metadata = False
    without.say(ana(), "hi", NOW)
    exchange(without, text())
    assert envelopes(without)[1].echo_key is None
    silent = workspace()
    silent.echoes = False
    silent.say(ana(), "hi", NOW)
    exchange(silent, text())
    assert len(envelopes(silent)) == 1


def test_our_changes_come_back_and_change_nothing() -> None:
    """An edit is a notice; a deletion finds nothing left to delete."""
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    sent = exchange(simulated, text())
    assert sent.value is not None
    edit = {"kind": "edit", "target": sent.value[0], "parts": [{"type": "text", "text": "hello!"}]}
    assert exchange(simulated, edit, LATER).error is None
    assert exchange(simulated, {"kind": "revoke", "target": sent.value[0]}, LATER).error is None
    found = envelopes(simulated, LATER)
    assert found[2].body == Unsupported(what="own:message_changed", visible=False)
    assert (found[3].body, found[3].author) == (Revoke(ExternalId(sent.value[0])), "business")


# --- files --------------------------------------------------------------------------------------------------------


def test_files_of_people() -> None:
    """Of all sorts; what the adapter reads is what the simulator keeps."""
    simulated = workspace()
    picture, gone = StoredFile("F1", "a.png", "image/png", b"12345"), StoredFile("F2", "b", "x/y", is_gone=True)
    foreign = StoredFile("F3", "c.pdf", "application/pdf", b"123", asks_first=True)
    simulated.say(ana(), "see", NOW, files=(picture, gone, foreign))
    url = simulated.world.file_url("F1")
    assert bodies(simulated) == [
        Message(
            parts=(
                Text("see"),
                Image(MediaRef(external_id="F1", url=url, mime="image/png", size=5, filename="a.png")),
                Document(MediaRef(external_id="F2", failed="tombstone")),
                Document(MediaRef(external_id="F3")),
            )
        )
    ]


def test_a_file_of_ours() -> None:
    """Three calls, and the message that Slack makes of them comes back under the file's id."""
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    media = {"stored": "aa", "size": 5, "filename": "a.pdf"}
    body = {"kind": "message", "parts": [{"type": "document", "caption": "here", "media": media}]}
    sent = exchange(simulated, body)
    assert sent.error is None
    assert sent.value is not None
    said = list(simulated.world.said.values())[-1]
    assert (said.text, simulated.world.files[said.files[0]].data) == ("here", b"BYTES")
    *_, echo = bodies(simulated)
    assert echo == Receipt(status=Status.SENT, target=ExternalId(sent.value[0]))


def test_a_file_of_the_wrong_length_begins_anew() -> None:
    """The second step refuses it; nothing was posted."""
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    body = {"kind": "message", "parts": [{"type": "document", "media": {"stored": "aa", "size": 6}}]}
    sent = exchange(simulated, body)
    assert sent.error is not None
    assert sent.error.certain
    assert len(simulated.world.said) == 1


# --- requests of their own ----------------------------------------------------------------------------------------


def test_handshakes() -> None:
    """The challenge is answered, and so is the look at the certificate; a wrong secret is not."""
    simulated = workspace()
    reply = ADAPTER.verify(as_raw(SUBJECT, simulated.url_verification("abc", NOW)))
    assert isinstance(reply, Reply)
    assert reply.body == b"abc"
    assert ADAPTER.verify(as_raw(SUBJECT, simulated.ssl_check())) == Reply(200)
    simulated.line._signing_secret = "another"
    check_refused(SUBJECT, as_raw(SUBJECT, simulated.url_verification("abc", NOW)))
