"""Ids that Amazon SES gives to our mails."""

import pytest

from adapters._mail.renamed import id_in, is_renamed, new_id, renames

ID = "010201abcdef0123-1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d-000000"


@pytest.mark.parametrize(
    ("host", "want"),
    [
        ("email-smtp.eu-west-1.amazonaws.com", f"{ID}@eu-west-1.amazonses.com"),
        ("EMAIL-SMTP.us-east-1.amazonaws.com", f"{ID}@email.amazonses.com"),
        ("email-smtp-fips.us-west-2.amazonaws.com", f"{ID}@us-west-2.amazonses.com"),
        ("smtp.shop.example", None),
        ("email-smtp.eu-west-1.amazonaws.com.evil.example", None),
    ],
)
def test_the_id_that_its_answer_tells(host: str, want: str | None) -> None:
    assert new_id(host, f"Ok {ID}") == want
    assert renames(host) is (want is not None)


def test_an_answer_without_an_id() -> None:
    assert new_id("email-smtp.eu-west-1.amazonaws.com", "Ok") is None
    assert renames(None) is False


@pytest.mark.parametrize(
    ("id", "want"),
    [
        (id_in("eu-west-1", ID), True),
        (id_in("us-east-1", ID), True),
        (f"{ID}@amazonses.com", False),
        (f"{ID}@x.amazonses.com.evil.example", False),
        (f"x{ID}@eu-west-1.amazonses.com", False),
        ("cmd_1.0@shop.example", False),
    ],
)
def test_what_looks_like_one(id: str, want: bool) -> None:
    assert is_renamed(id) is want
