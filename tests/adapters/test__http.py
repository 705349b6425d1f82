"""Which status means what, and how long to wait."""

import pytest

from adapters._http import MAX_RETRY_AFTER_S, retry_after, status_error
from adapters.base import Reply


@pytest.mark.parametrize(
    ("status", "want"),
    [
        (401, ("CredentialsRefused", False, True)),
        (403, ("CredentialsRefused", False, True)),
        (404, ("Refused", False, True)),
        (302, ("Refused", False, True)),
        (408, ("Unavailable", True, False)),
        (429, ("Throttled", True, True)),
        (500, ("Unavailable", True, False)),
        (502, ("Unavailable", True, False)),
        (503, ("Unavailable", True, True)),
        (504, ("Unavailable", True, False)),
        (599, ("Unavailable", True, True)),
        (100, ("NoAnswer", True, False)),
    ],
)
def test_status_error(status: int, want: tuple[str, bool, bool]) -> None:
    """What may have gone out is not certain."""
    error = status_error(Reply(status))
    assert (type(error).__name__, error.retryable, error.certain) == want


def test_who_knows_better_says_so() -> None:
    """A number in the body proves that the provider itself answered."""
    assert status_error(Reply(500), certain=True).certain


@pytest.mark.parametrize(
    ("given", "want"),
    [("2", 2.0), ("0", 0.0), ("1e9", MAX_RETRY_AFTER_S), ("-1", None), ("nan", None), ("soon", None), ("", None)],
)
def test_retry_after(given: str, want: float | None) -> None:
    """Seconds, within reason."""
    assert retry_after(Reply(429, {"Retry-After": given})) == want
    assert status_error(Reply(429, {"retry-after": given})).retry_after_s == want
