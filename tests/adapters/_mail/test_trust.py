"""Is the From what it says?"""

import pytest

from adapters._mail.headers import Headers
from adapters._mail.model import Mail, Mailbox
from adapters._mail.trust import is_aligned, our_results, read_verdicts

OURS = ("mx.shop.example",)
PASS = "mx.shop.example; dmarc=pass header.from=x.example"
FAIL = "mx.shop.example; dmarc=fail header.from=x.example"
RECEIVED = ("received", "from x by mx")


def mail(*fields: str | tuple[str, str], sender: str = "joe@x.example") -> Mail:
    given = [("authentication-results", one) if isinstance(one, str) else one for one in fields]
    return Mail(from_=(Mailbox(sender),), verdicts=read_verdicts(Headers(given)))


@pytest.mark.parametrize(
    ("label", "given", "aligned"),
    [
        ("DMARC passed", mail(PASS), True),
        (
            "with comments, versions and odd case",
            mail(
                "MX.shop.example 1; spf=pass (a; dmarc=pass) smtp.mailfrom=b; DMARC=Pass (p=none) Header.From=X.example"
            ),
            True,
        ),
        (
            "of a domain that it writes in letters",
            mail(PASS.replace("x.example", "bücher.example"), sender="joe@xn--bcher-kva.example"),
            True,
        ),
        (
            "in what a stranger said",
            mail('mx.shop.example; spf=pass smtp.mailfrom="a; dmarc=pass header.from=x.example"@e'),
            False,
        ),
        (
            "in what a stranger said, escaped",
            mail('mx.shop.example; spf=pass smtp.mailfrom="\\"a; dmarc=pass header.from=x.example\\"@e"'),
            False,
        ),
        (
            "in what a stranger said, without an end",
            mail('mx.shop.example; spf=pass smtp.mailfrom="a; dmarc=pass header.from=x.example'),
            False,
        ),
        (
            "a stranger's word is one property",
            mail('mx.shop.example; dkim=pass reason="a header.d=x.example" header.d=evil.example'),
            False,
        ),
        (
            "a stranger opens a comment",
            mail('mx.shop.example; spf=pass smtp.mailfrom="("@e; dmarc=fail; dkim=pass header.d=x.example'),
            False,
        ),
        ("failed and passed", mail(PASS + "; dmarc=fail header.from=x.example"), False),
        ("in quotes", mail('mx.shop.example; dmarc=pass header.from="x.example"'), True),
        ("in a comment only", mail("mx.shop.example; spf=pass (dmarc=pass header.from=x.example)"), False),
        ("DMARC failed, though DKIM passed", mail(FAIL + "; dkim=pass header.d=x.example"), False),
        ("DMARC of another From", mail(PASS.replace("x.example", "y.example")), False),
        ("DMARC that names no From", mail("mx.shop.example; dmarc=pass"), True),
        ("DKIM of the domain", mail("mx.shop.example; dkim=pass header.d=x.example"), True),
        ("DKIM by its identity", mail("mx.shop.example; dkim=pass header.i=@x.example"), True),
        (
            "DKIM of the domain above",
            mail("mx.shop.example; dkim=pass header.d=x.example", sender="joe@a.x.example"),
            True,
        ),
        ("DKIM of a domain below", mail("mx.shop.example; dkim=pass header.d=evil.x.example"), False),
        ("DKIM of a domain that ends alike", mail("mx.shop.example; dkim=pass header.d=ple"), False),
        ("DKIM of a top level", mail("mx.shop.example; dkim=pass header.d=example"), False),
        (
            "one of two signatures",
            mail("mx.shop.example; dkim=fail header.d=x.example; dkim=pass header.d=x.example"),
            True,
        ),
        ("DKIM failed", mail("mx.shop.example; dkim=fail header.d=x.example"), False),
        ("SPF alone", mail("mx.shop.example; spf=pass smtp.mailfrom=joe@x.example"), False),
        ("ARC alone", mail("mx.shop.example; arc=pass"), False),
        ("nothing", mail("mx.shop.example; none"), False),
        ("no field", mail(), False),
        ("another server", mail(PASS.replace("mx.", "mx2.")), False),
        ("a server whose name begins alike", mail(PASS.replace("example;", "example.evil;")), False),
        ("no name", mail("dmarc=pass header.from=x.example"), False),
        ("another server on top of ours", mail("mx.evil.example; dmarc=fail", PASS), True),
        ("ours twice, without a Received", mail(FAIL, PASS), False),
        ("a second one of ours that may be forged", mail("mx.shop.example; spf=pass", PASS), False),
        ("a second one of ours above all Received", mail("mx.shop.example; spf=pass", PASS, RECEIVED), True),
        ("a second one of ours below the first Received", mail("mx.shop.example; spf=pass", RECEIVED, PASS), False),
        ("ours below a Received of our own", mail(RECEIVED, PASS), True),
    ],
)
def test_alignment(label: str, given: Mail, aligned: bool) -> None:
    """Only by our own server's word, the topmost one."""
    assert is_aligned(given, OURS) == aligned, label


def test_a_server_that_does_not_name_itself() -> None:
    """Microsoft 365 writes none; only who says so believes it."""
    given = mail(
        "spf=pass smtp.mailfrom=x.example; dkim=pass header.d=x.example;dmarc=pass action=none header.from=x.example"
    )
    assert is_aligned(given, ("-",))
    assert not is_aligned(given, OURS)
    assert not is_aligned(given, ())


def test_several_authors_are_not_proven() -> None:
    """DMARC speaks of one From (RFC 7489 §6.6.1)."""
    verdicts = mail(PASS).verdicts
    assert not is_aligned(Mail(from_=(Mailbox("joe@x.example"), Mailbox("a@y.example")), verdicts=verdicts), OURS)
    assert not is_aligned(Mail(verdicts=verdicts), OURS)


@pytest.mark.parametrize(
    "value", ["", ";", ";;=;", "mx.shop.example", "mx.shop.example;" + "x=" * 5_000, "(" * 9_000, "\\"]
)
def test_what_can_not_be_read_says_nothing(value: str) -> None:
    """And harms nobody."""
    assert not any(result == "pass" for _, result, _ in our_results(mail(value).verdicts, OURS))
