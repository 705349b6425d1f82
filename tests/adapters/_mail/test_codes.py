"""adapters/_mail/codes.py: every answer of a mail server in the catalogue's words."""

from typing import Any

import msgspec
import pytest

from adapters._mail.codes import LAST_RETRY_S, retry_after_s, settle
from adapters.base import MailReply, NoAnswer, Reply, SendError


def failed(status: int, text: str, *, at_recipient: bool = False, files: bool = False, attempt: int = 1) -> SendError:
    refused = {"joe@x.example": (status, text)} if at_recipient else {}
    body = msgspec.json.encode(MailReply(text=text, refused=refused))
    with pytest.raises(SendError) as caught:
        settle(Reply(status, {}, body), attempt, files=files)
    error = caught.value
    assert "joe" not in error.text
    assert error.certain == (not isinstance(error, NoAnswer))
    return error


@pytest.mark.parametrize("status", [200, 250, 251, 252, 299])
def test_taken(status: int) -> None:
    assert settle(Reply(status, {}, b'{"text":"ok"}'), 1) == MailReply(text="ok")


TABLE = [
    # for now
    (421, "4.3.2 closing", "Unavailable"), (421, "closing", "Unavailable"), (421, "4.7.0 rate", "Throttled"),
    (421, "4.7.28 rate", "Throttled"), (450, "4.2.0 busy", "Throttled"), (450, "busy", "Unavailable"),
    (450, "4.7.1 greylisted", "Throttled"), (451, "4.3.0 trouble", "Unavailable"), (451, "4.7.650 IP", "Throttled"),
    (452, "4.2.2 full", "Throttled"), (452, "4.3.1 no space", "Unavailable"), (452, "4.5.3 too many", "Unavailable"),
    (454, "4.7.0 login not possible now", "Unavailable"), (432, "4.7.12 change it", "CredentialsRefused"),
    (499, "4.0.0 ?", "Unavailable"), (450, "4.4.5 quota", "Throttled"), (400, "", "Unavailable"),
    # for good: all of us
    (530, "5.7.0 login", "CredentialsRefused"), (530, "5.7.57 not authenticated", "CredentialsRefused"),
    (534, "5.7.9 stronger", "CredentialsRefused"), (535, "5.7.8 wrong", "CredentialsRefused"),
    (535, "5.7.139 disabled", "CredentialsRefused"), (538, "5.7.11 encrypt", "CredentialsRefused"),
    (550, "5.7.30 basic", "CredentialsRefused"), (550, "5.1.8 sender", "ChannelBlocked"),
    (553, "5.1.7 sender", "ChannelBlocked"), (550, "5.7.60 SendAsDenied", "ChannelBlocked"),
    (550, "5.7.501 spam abuse", "ChannelBlocked"), (550, "5.7.705 tenant", "ChannelBlocked"),
    (550, "5.7.13 disabled", "ChannelBlocked"), (550, "5.4.5 quota", "Throttled"),
    # for good: this person
    (550, "5.1.1 who", "Unreachable"), (550, "5.1.10 null MX", "Unreachable"), (550, "5.2.1 closed", "Unreachable"),
    (552, "5.2.2 full", "Unreachable"), (550, "5.4.1 denied", "Unreachable"), (550, "5.4.310 no DNS", "Unreachable"),
    (553, "5.1.3 bad", "Unreachable"), (551, "not local", "Unreachable"), (521, "no mail here", "Unreachable"),
    (556, "5.1.10 none", "Unreachable"),
    # for good: this message
    (500, "5.5.1 command", "Refused"), (501, "5.5.4 syntax", "Refused"), (550, "5.7.1 policy", "Refused"),
    (550, "5.7.26 DMARC", "Refused"), (554, "5.6.0 content", "Refused"), (554, "no", "Refused"),
    (550, "no", "Refused"), (555, "5.5.4 parameters", "Refused"), (552, "5.3.4 large", "Refused"),
    (552, "too large", "Refused"), (550, "5.2.3 large", "Refused"),
    # nothing that a mail server says
    (199, "", "NoAnswer"), (354, "go on", "NoAnswer"), (600, "", "NoAnswer"), (0, "", "NoAnswer"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "text", "kind"), TABLE)
def test_what_it_means(status: int, text: str, kind: str) -> None:
    error = failed(status, text)
    assert type(error).__name__ == kind
    assert error.provider_code is not None
    assert error.provider_code.startswith(str(status))


@pytest.mark.parametrize("status", [550, 553])
def test_a_recipient_that_is_refused_without_a_reason(status: int) -> None:
    assert type(failed(status, "no", at_recipient=True)).__name__ == "Unreachable"
    assert type(failed(status, "5.7.1 policy", at_recipient=True)).__name__ == "Refused"


@pytest.mark.parametrize("text", ["5.3.4 large", "too large"])
def test_a_mail_with_files_is_too_large_because_of_them(text: str) -> None:
    assert type(failed(552, text, files=True)).__name__ == "MediaFailed"


def test_only_some_wait_for_this_person_alone() -> None:
    greylisted, busy = failed(451, "4.7.1 x"), failed(421, "4.7.28 x")
    assert (getattr(greylisted, "scope", None), getattr(busy, "scope", None)) == ("recipient", "channel")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1 <joe@x.example> who", "550 5.1.1"),
        ("#5.1.1 who", "550 5.1.1"),
        ("[5.1.1] who", "550 5.1.1"),
        ("no user at 10.5.1.1.2", "550"),
        ("", "550"),
        ("x" * 600 + " 5.1.1", "550"),
        ("version 15.1.1 of", "550"),
    ],
)
def test_which_code_is_told(text: str, code: str) -> None:
    assert failed(550, text).provider_code == code


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"[" * 100_000, b'{"text":5}'])
def test_words_that_can_not_be_read(body: bytes) -> None:
    with pytest.raises(NoAnswer):
        settle(Reply(250, {}, body), 1)
    with pytest.raises(SendError) as caught:
        settle(Reply(550, {}, body), 1)
    assert caught.value.provider_code == "550"


def test_waits_grow_and_end() -> None:
    assert [retry_after_s(attempt) for attempt in (0, 1, 2, 3, 4, 99)] == [
        60.0,
        60.0,
        240.0,
        960.0,
        LAST_RETRY_S,
        LAST_RETRY_S,
    ]


@pytest.mark.parametrize(("status", "text"), [(451, "4.3.0 x"), (450, "4.7.1 x"), (421, "4.7.28 x")])
def test_whoever_asks_us_to_come_back_is_asked_later_and_later(status: int, text: str) -> None:
    waits: list[Any] = [failed(status, text, attempt=attempt).retry_after_s for attempt in (1, 2)]
    assert waits == [60.0, 240.0]
