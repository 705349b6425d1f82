"""Did a machine write it?"""

import pytest

from adapters._mail.automatic import automatic_sign, is_unattended, list_address
from adapters._mail.headers import Headers


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("auto-submitted", "auto-replied", "automatic"),
        ("auto-submitted", "Auto-Generated; x", "automatic"),
        ("auto-submitted", "no", None),
        ("auto-submitted", "No (comment)", None),
        ("precedence", "BULK", "list"),
        ("precedence", "first-class", None),
        ("precedence", "auto_reply", "automatic"),
        ("return-path", "<>", "automatic"),
        ("return-path", "<joe@x.example>", None),
        ("list-id", "<a.x.example>", "list"),
        ("x-auto-response-suppress", "DR, AutoReply", "automatic"),
        ("x-auto-response-suppress", "DR, RN", None),
        ("x-failed-recipients", "a@x.example", "automatic"),
        ("x-loop", "", "automatic"),
        ("delivered-to", "Autoresponder", "automatic"),
        ("delivered-to", "a@x.example", None),
        ("x-post-messageclass", "9; Autoresponder", "automatic"),
    ],
)
def test_signs(name: str, value: str, kind: str | None) -> None:
    """By the field; a person's mail has none of them."""
    found = automatic_sign(Headers([(name, value)]), None)
    assert (found[0] if found else None) == kind


@pytest.mark.parametrize(
    ("subject", "yes"),
    [
        ("Automatic reply: x", True),
        ("Automatische Antwort: x", True),
        ("Abwesenheitsnotiz: x", True),
        ("Out of Office: x", True),
        ("Réponse automatique : x", True),
        ("Re: Automatic reply: x", False),
        ("Automatic replies do not work", False),
        ("Out of office chairs", False),
        (None, False),
    ],
)
def test_subjects(subject: str | None, yes: bool) -> None:
    """Some programs say it there and nowhere else."""
    assert (automatic_sign(Headers([]), subject) is not None) == yes


@pytest.mark.parametrize(
    ("address", "yes"),
    [
        ("no-reply@x.example", True),
        ("noreply@x.example", True),
        ("NoReply@x.example", True),
        ("do-not-reply@x.example", True),
        ("donotreply@x.example", True),
        ("no-reply+abc@x.example", True),
        ("mailer-daemon@x.example", True),
        ("postmaster@x.example", True),
        ("bounces+1=a@x.example", True),
        ("bounce@x.example", True),
        ("joe@no-reply.example", False),
        ("noreplyman@x.example", False),
        ("reply@x.example", False),
        ("bouncer@x.example", False),
    ],
)
def test_mailboxes_that_nobody_reads(address: str, yes: bool) -> None:
    """By their names."""
    assert is_unattended(address) == yes


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ([("list-post", "<mailto:Support@shop.example?x=1>")], "support@shop.example"),
        ([("list-id", "Support <support.shop.example>")], "support@shop.example"),
        ([("list-post", "NO"), ("list-id", "<a.b.example>")], "a@b.example"),
        ([("list-id", "words")], None),
        ([], None),
    ],
)
def test_where_one_writes_to_a_list(fields: list[tuple[str, str]], want: str | None) -> None:
    """It says so, or its name tells."""
    assert list_address(Headers(fields)) == want
