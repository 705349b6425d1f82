"""The adapter as a whole: what it can do, what it dials, whom it lets in."""

import msgspec
import pytest

from adapters.base import MailCall, Refused, Reply, Sent, Unauthentic
from adapters.mail import REGISTRATION, MailAdapter
from adapters.mail.config import Config
from normalizer.envelope import Message, media_parts
from normalizer.ids import ExternalId
from tests.adapters.mail.mails_text import FILES
from tests.adapters.mail.support import CONFIG, KEY, OUR_ID, OURS, SUBJECT, mail
from tests.adapters.whatsapp.support import ctx, message
from tests.kit import InboundCase, check_refused, drive
from tests.kit.cases import ENDPOINT


@pytest.mark.parametrize("method", ["GET", "POST", "MAIL", "PUT"])
def test_nobody_posts_a_mail(method: str) -> None:
    """Not even by the method that the listener uses."""
    raw = SUBJECT.raw(mail(), origin="webhook", method=method)
    check_refused(SUBJECT, raw)
    with pytest.raises(Unauthentic):
        SUBJECT.adapter.verify(raw)


def test_it_dials_its_mailbox() -> None:
    """One source, if it knows where."""
    adapter = MailAdapter(CONFIG)
    assert [source.name for source in adapter.sources] == ["imap/INBOX"]
    assert MailAdapter(Config()).sources == ()


def test_answers_of_machines_are_counted() -> None:
    """As many in an hour as the settings say; reading is left to a process of its own."""
    adapter = REGISTRATION.build(ENDPOINT, msgspec.structs.replace(CONFIG, automatic_per_hour=7))
    assert adapter.capabilities.automatic_per_hour == 7
    assert adapter.capabilities.heavy


@pytest.mark.parametrize("case", FILES, ids=str)
def test_every_file_that_is_named_is_carried(case: InboundCase) -> None:
    """By its name in the message, with its type."""
    raw = SUBJECT.raw(case.body)
    adapter = MailAdapter(CONFIG)
    (envelope,) = adapter.parse(raw)
    named = {part.media.external_id: part.media for _, part in media_parts(envelope.body)}
    brought = {one.ref: one for one in adapter.carried(raw)}
    assert named.keys() == brought.keys()
    for ref, media in named.items():
        assert media.mime == brought[str(ref)].mime
        assert abs((media.size or 0) - len(brought[str(ref)].data)) <= 3


def test_what_was_sent_is_known_when_it_comes_back() -> None:
    """The id of a mail that goes out is the one that answers and bounces lead to."""
    out = message({"kind": "message", "parts": [{"type": "text", "text": "Yes."}]}, channel_type="mail")
    context = msgspec.structs.replace(ctx("mailto:joe@x.example"), echo_key="cmd_0011:0")
    context = msgspec.structs.replace(context, leg=msgspec.structs.replace(context.leg, native_thread=OURS))
    driven = drive(MailAdapter(CONFIG).send(out, context), [Reply(250, {}, b'{"text":"queued"}')])
    (call,) = driven.calls
    assert driven.value == Sent((ExternalId(OUR_ID),))
    assert isinstance(call, MailCall)
    assert f"Message-ID: <{OUR_ID}>".encode() in call.message
    (answer,) = SUBJECT.adapter.parse(SUBJECT.raw(mail(In_Reply_To=f"<{OUR_ID}>")))
    assert isinstance(answer.body, Message)
    assert answer.native_thread == OURS


def test_without_an_address_nothing_is_sent() -> None:
    """A clear refusal."""
    out = message({"kind": "message", "parts": [{"type": "text", "text": "Yes."}]}, channel_type="mail")
    for config in (Config(token_keys=(KEY,)), Config(addresses=("a@shop.example",)), Config()):
        driven = drive(MailAdapter(config).send(out, ctx("mailto:joe@x.example")), [])
        assert isinstance(driven.error, Refused)
