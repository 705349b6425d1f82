"""Who wrote, who is answered, in which thread."""

from typing import Any

import pytest

from adapters._mail.model import Mail, Mailbox, MailContext
from adapters._mail.people import GROUP_MAX, answered, thread, writer, wrote_ourselves
from adapters._mail.tokens import anchor_for, message_id_for, thread_of, token_for
from normalizer.envelope import Evidence
from tests.kit.cases import ENDPOINT, NOW

KEY = "k" * 32
THREAD = thread_of("first@x.example")
US, JOE, ANN = Mailbox("support@shop.example"), Mailbox("joe@x.example", "Joe"), Mailbox("ann@y.example", "Ann")
OUR_ID = message_id_for("cmd_1:0", THREAD, KEY, "shop.example")


def context(**more: Any) -> MailContext:
    return MailContext(
        endpoint_id=ENDPOINT, channel_type="mail", account=US.address, addresses=(US.address,), token_keys=(KEY,),
        received_at=NOW, row="raw-1", **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mail", "want"),
    [
        (Mail(from_=(JOE,)), JOE),
        (Mail(from_=(JOE,), reply_to=(ANN,)), ANN),
        (Mail(from_=(JOE,), reply_to=(Mailbox(ANN.address),)), Mailbox(ANN.address, "Joe")),
        (Mail(from_=(JOE,), reply_to=(US, ANN)), ANN),
        (Mail(from_=(JOE,), reply_to=(Mailbox("SUPPORT+x@shop.example"),)), JOE),
        (Mail(from_=(JOE,), reply_to=(Mailbox("list@y.example"),), list_address="list@y.example"), JOE),
        (Mail(from_=(US,), reply_to=(ANN,)), ANN),
        (Mail(from_=(US,), rewritten_from=ANN), ANN),
        (Mail(from_=(US, JOE)), JOE),
        (Mail(from_=(US,), sender=ANN), None),
        (Mail(sender=ANN), ANN),
        (Mail(return_path="ann@y.example"), Mailbox("ann@y.example")),
        (Mail(return_path=""), None),
        (Mail(), None),
    ],
)
def test_who_is_answered(mail: Mail, want: Mailbox | None) -> None:
    """Reply-To, else From, else whoever stands behind it; never ourselves."""
    assert answered(mail, context()) == want


def test_we_wrote_ourselves() -> None:
    """With a plus or not; a form that writes for a customer did not."""
    assert wrote_ourselves(Mail(from_=(Mailbox("Support+x@shop.example"),)), context())
    assert not wrote_ourselves(Mail(from_=(US,), reply_to=(ANN,)), context())
    assert not wrote_ourselves(Mail(from_=(US, JOE)), context())
    assert not wrote_ourselves(Mail(), context())


@pytest.mark.parametrize(
    ("mail", "aligned", "evidence"),
    [
        (Mail(from_=(JOE,)), True, Evidence.CHANNEL),
        (Mail(from_=(JOE,)), False, Evidence.CLAIMED),
        (Mail(from_=(JOE,)), None, Evidence.CLAIMED),
        (Mail(from_=(JOE,), reply_to=(Mailbox("JOE@x.example"),)), True, Evidence.CHANNEL),
        (Mail(from_=(JOE,), reply_to=(ANN,)), True, Evidence.CLAIMED),
        (Mail(from_=(JOE, ANN)), True, Evidence.CLAIMED),
        (Mail(sender=ANN), True, Evidence.CLAIMED),
    ],
)
def test_evidence(mail: Mail, aligned: bool | None, evidence: Evidence) -> None:
    """Only of the From, and only when its domain stands behind it."""
    (claim,) = writer(mail, context(aligned=aligned)).party.claims
    assert claim.evidence is evidence


@pytest.mark.parametrize(
    ("label", "mail", "group", "observed"),
    [
        ("to us", Mail(from_=(JOE,), to=(US,)), None, False),
        ("a colleague in Cc", Mail(from_=(JOE,), to=(US,), cc=(ANN,)), None, False),
        ("to us and somebody else", Mail(from_=(JOE,), to=(US, ANN)), "ann@y.example,joe@x.example", False),
        (
            "to somebody else, with us in Cc",
            Mail(from_=(JOE,), to=(ANN,), cc=(US,)),
            "ann@y.example,joe@x.example",
            True,
        ),
        ("another mailbox of the house", Mail(from_=(JOE,), to=(US, Mailbox("b@shop.example"))), None, False),
        ("himself", Mail(from_=(JOE,), to=(US, Mailbox("JOE@x.example"))), None, False),
        ("we are named nowhere", Mail(from_=(JOE,), to=(ANN,)), None, False),
        ("a list", Mail(from_=(JOE,), to=(US, ANN), kind="list"), None, False),
    ],
)
def test_groups(label: str, mail: Mail, group: str | None, observed: bool) -> None:
    """People who are addressed as much as we are."""
    found = writer(mail, context())
    assert (found.group.value if found.group else None, found.observed) == (group, observed), label


@pytest.mark.parametrize(("people", "is_group"), [(GROUP_MAX, True), (GROUP_MAX + 1, False)])
def test_a_circular_is_no_group(people: int, is_group: bool) -> None:
    """At the limit, and one past it."""
    others = tuple(Mailbox(f"a{n}@y.example") for n in range(people - 1))
    assert (writer(Mail(from_=(JOE,), to=(US, *others)), context()).group is not None) == is_group


@pytest.mark.parametrize(
    ("label", "mail", "want"),
    [
        ("its own id", Mail(message_id="m@x.example"), thread_of("m@x.example")),
        ("the first of the chain", Mail(message_id="m@x", references=("a@x", "b@x")), thread_of("a@x")),
        ("what it answers", Mail(message_id="m@x", in_reply_to=("a@x",)), thread_of("a@x")),
        ("not an id of our domain", Mail(message_id="m@x", references=("z@shop.example", "b@x")), thread_of("b@x")),
        ("ours, proven", Mail(message_id="m@x", references=("a@x", OUR_ID)), THREAD),
        ("an anchor", Mail(message_id="m@x", references=(anchor_for(THREAD, KEY, "shop.example"), "a@x")), THREAD),
        ("a plus-address", Mail(to=(Mailbox(f"support+{token_for(THREAD, KEY)}@shop.example"),)), THREAD),
        ("a plus-address in Cc", Mail(cc=(Mailbox(f"x+{token_for(THREAD, KEY)}@shop.example"),)), THREAD),
        ("a plus-address that is not signed", Mail(message_id="m@x", to=(Mailbox(f"support+{'a' * 36}@shop.example"),)),
         thread_of("m@x")),
        ("no id", Mail(), thread_of("raw-1")),
    ],
)  # fmt: skip
def test_threads(label: str, mail: Mail, want: str) -> None:
    """By proof, else by the first message that is somebody else's."""
    assert thread(mail, context()) == want, label


def test_the_smtp_envelope_names_the_thread_too() -> None:
    """A blind copy has it there only."""
    assert thread(Mail(), context(recipients=(f"support+{token_for(THREAD, KEY)}@shop.example",))) == THREAD
    assert thread(Mail(), context(arrival="INBOX/1/2")) == thread_of("INBOX/1/2")
