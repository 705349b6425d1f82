"""Reports on what we sent, read apart from what they are about."""

import pytest

from adapters._mail.mime import read_tree
from adapters._mail.model import Fate, MailLimits
from adapters._mail.reports import MAX_FATES, Report, read_report

LIMITS = MailLimits()
HEAD = "From: mailer-daemon@x.example\nContent-Type: multipart/report; boundary=b\n\n--b\n\nSorry.\n--b\n"


def report(text: str, said: str = "") -> Report | None:
    return read_report(read_tree(text.encode(), LIMITS), said, LIMITS)


def fates(*groups: str) -> tuple[Fate, ...]:
    found = report(HEAD + "Content-Type: message/delivery-status\n\n" + "\n\n".join(("Reporting-MTA: dns; x", *groups)))
    assert found is not None
    return found.fates


@pytest.mark.parametrize(
    ("group", "want"),
    [
        (
            "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1",
            Fate(recipient="a@x.example", action="failed", hard=True, status="5.1.1"),
        ),
        (
            "final-recipient: RFC822;<a@x.example>\naction: FAILED (x)\nstatus: 4.2.2 (full)",
            Fate(recipient="a@x.example", action="failed", hard=False, status="4.2.2"),
        ),
        (
            "Original-Recipient: rfc822;a@x.example\nFinal-Recipient: rfc822;b@x.example\n"
            "Action: delivered\nStatus: 2.1.5",
            Fate(recipient="a@x.example", action="delivered", status="2.1.5"),
        ),
        (
            "Final-Recipient: rfc822; a@x.example\nAction: failed\nDiagnostic-Code: smtp; 550 5.7.1 no",
            Fate(recipient="a@x.example", action="failed", status="5.7.1", text="550 5.7.1 no"),
        ),
        (
            "Final-Recipient: rfc822; a@x.example\nAction: failed\nDiagnostic-Code: smtp; 452 try again",
            Fate(recipient="a@x.example", action="failed", hard=False, text="452 try again"),
        ),
        (
            "Final-Recipient: rfc822; a@x.example\nStatus: 5.0.0\nDiagnostic-Code: mailbox full",
            Fate(recipient="a@x.example", action="failed", hard=False, status="5.0.0", text="mailbox full"),
        ),
        ("Action: expanded\nFinal-Recipient: rfc822; a@x.example", Fate(recipient="a@x.example", action="delayed")),
        ("Action: failed\nFinal-Recipient: x400; nobody", Fate(recipient=None, action="failed")),
    ],
)
def test_groups_of_fields(group: str, want: Fate) -> None:
    """RFC 3464, as servers write it."""
    assert fates(group) == (want,)


@pytest.mark.parametrize(("count", "want"), [(MAX_FATES, MAX_FATES), (MAX_FATES + 1, MAX_FATES)])
def test_at_most_so_many_recipients(count: int, want: int) -> None:
    """At the limit, and one past it."""
    assert len(fates(*("Final-Recipient: rfc822; a@x.example\nAction: failed",) * count)) == want


def test_what_it_is_about() -> None:
    """The original's id, what the status names, what is quoted in the form of ours; then what the header refers to."""
    ours, other = ("cmd_1.0." + "a" * 16 + "." + letter * 20 + "@shop.example" for letter in "bc")
    found = report(
        "References: <q@x.example> <r@x.example>\nIn-Reply-To: <i@x.example>\n" + HEAD
        + "Content-Type: message/rfc822\n\nSubject: x\nMessage-ID: <o@x.example>\n\nMessage-ID: <no@x.example>\n--b\n"
        + "Content-Type: message/delivery-status\n\nOriginal-Envelope-Id: e@x.example\n\nAction: failed\n--b\n"
        + f"\nReferences: <{other}>\nMessage-ID:\n <{ours}>, as it was\n--b--\n")  # fmt: skip
    assert found is not None
    assert found.about == ("o@x.example", "e@x.example", ours, other, "i@x.example", "r@x.example", "q@x.example")


def test_where_an_id_ends() -> None:
    """Quoted in a text, with what text puts behind it."""
    ours = "cmd_1.0." + "a" * 16 + "." + "b" * 20 + "@shop.example"
    for text in (f"&lt;{ours}&gt;", f"({ours}).", f"{ours}, 3 kB", f'"{ours}"', f"{ours}...", f"<{ours}"):
        found = report(f"Subject: Undelivered\n{HEAD}\n{text}\n--b--\n")
        assert found is not None
        assert found.about == (ours,)


@pytest.mark.parametrize(
    ("head", "words", "want"),
    [
        ("From: joe@x.example", "My mail was undeliverable: 550", None),
        ("From: joe@x.example\nSubject: Delivery delayed", "When does it come?", None),
        ("From: mailer-daemon@x.example", "Hello", None),
        ("From: joe@x.example\nReturn-Path: <>", "I am away.", None),
        (
            "From: postmaster@x.example\nSubject: Undeliverable: x",
            "Your message to a@y.example couldn't be delivered.",
            [("a@y.example", True, None)],
        ),
        (
            "From: mailer-daemon@x.example\nSubject: failure notice",
            "<a@y.example>:\nSorry, mailbox full (#4.2.2)",
            [("a@y.example", False, "4.2.2")],
        ),
        (
            "From: mailer-daemon@x.example\nSubject: failure notice",
            "<a@y.example>: 550 gone\n<b@y.example>: 421 later",
            [("a@y.example", True, None), ("b@y.example", False, None)],
        ),
        (
            "X-Failed-Recipients: a@y.example, b@y.example\nFrom: x@y.example",
            "",
            [("a@y.example", True, None), ("b@y.example", True, None)],
        ),
        ("From: MAILER-DAEMON@x.example\nSubject: Returned mail", "No address at all", [(None, True, None)]),
        ("Subject: Undelivered", "<a@y.example>: unknown", [("a@y.example", True, None)]),
        (
            "From: postmaster@x.example\nSubject: Unzustellbar: x",
            "Nachricht an a@y.example: Postfach ist voll",
            [("a@y.example", False, None)],
        ),
    ],
)
def test_bounces_in_words(head: str, words: str, want: list[tuple[str | None, bool, str | None]] | None) -> None:
    """By machines only; what people write about bounces is theirs."""
    found = report(f"{head}\n\n{words}\n", words)
    told = None if found is None else [(fate.recipient, fate.hard, fate.status) for fate in found.fates]
    assert told == want


def test_what_somebody_forwards_is_his_message() -> None:
    """A report within his mail is a file."""
    inner = "--b\n\nLook!\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b--\n"
    assert report("From: joe@x.example\nContent-Type: multipart/mixed; boundary=b\n\n" + inner) is None
