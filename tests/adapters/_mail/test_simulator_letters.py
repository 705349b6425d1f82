"""adapters/_mail/simulator_letters.py: mails that our own reader and Python's both understand."""

from email import message_from_bytes
from email.policy import default

import msgspec

from adapters._mail import MailLimits, read_mail
from adapters._mail.simulator_letters import Enclosed, Written, bounced, written
from tests.kit.cases import NOW

LIMITS = MailLimits()
ONE = Written(message_id="m1@x.example", sender="joe@x.example", name="Jörg", to=("a@shop.example", "b@shop.example"),
              subject="Grüße", text="Hallo\n.\nFrom hier", at=NOW)  # fmt: skip


def test_a_plain_one() -> None:
    mail = read_mail(written(ONE), LIMITS)
    assert (mail.message_id, mail.subject, mail.visible) == ("m1@x.example", "Grüße", "Hallo\n.\nFrom hier")
    assert (mail.from_[0].name, [box.address for box in mail.to], mail.date) == (
        "Jörg", ["a@shop.example", "b@shop.example"], NOW,
    )  # fmt: skip


def test_everything() -> None:
    long = "x" * 100 + "@shop.example"
    files = [Enclosed("a.png", "image/png", b"PNG"), Enclosed("b", "image/gif", b"GIF", "c@x")]
    one = msgspec.structs.replace(
        ONE, html="<p>Hallo</p>", files=files, answers=long, references=["1@shop.example", long],
        headers={"Auto-Submitted": "auto-replied"},
    )  # fmt: skip
    data = written(one)
    mail = read_mail(data, LIMITS)
    assert (mail.in_reply_to, mail.references) == ((long,), ("1@shop.example", long))
    assert sorted(one.mime for one in mail.files) == ["image/gif", "image/png"]
    assert mail.kind == "automatic"
    assert not message_from_bytes(data, policy=default).defects
    assert data == written(one)


def test_a_report() -> None:
    data = bounced(message_id="b1@mx", server="mx", recipient="gone@x.example", status="5.1.1", diagnostic="550 no",
                   original=b"Message-ID: <ours@shop.example>\r\n\r\nsecret", to="a@shop.example", at=NOW)  # fmt: skip
    mail = read_mail(data, LIMITS)
    assert (mail.kind, mail.about) == ("bounce", ("ours@shop.example",))
    assert [(fate.recipient, fate.action, fate.hard, fate.status) for fate in mail.fates] == [
        ("gone@x.example", "failed", True, "5.1.1")
    ]
    assert b"secret" not in data
