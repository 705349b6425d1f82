"""The numbers that are documented, and what a status callback says."""

import pytest

from adapters._twilio_codes import CODES, DAY_S, HOUR_S, failure, refusal
from adapters.base import Throttled

ACT_ON = {
    "Throttled": (14107, 21611, 30001, 30022, 30023, 63017, 63018, 63038, 63049),
    "Unreachable": (21211, 21408, 21612, 21614, 30003, 30004, 30005, 30006, 63003, 63015, 63024, 63032, 63033, 63036),
    "OptedOut": (21610,),
    "WindowClosed": (63016,),
    "ChannelBlocked": (21606, 30002, 30034, 63007),
    "TemplateRefused": (21654, 21655, 21656, 63027, 63041),
    "MediaFailed": (12300, 21620, 63019),
    "Refused": (21617, 30007, 30010, 63005, 63013, 63021),
    "Unavailable": (30008, 30410),
}


@pytest.mark.parametrize("name", ACT_ON)
def test_every_number_that_asks_for_an_action_has_a_class(name: str) -> None:
    assert {code: CODES[code].error.__name__ for code in ACT_ON[name]} == dict.fromkeys(ACT_ON[name], name)


def test_what_has_to_wait_says_how_long() -> None:
    """A full queue for an hour, a used-up day until the next one; only throttled ones wait."""
    assert (CODES[21611].retry_after_s, CODES[63038].retry_after_s) == (HOUR_S, DAY_S)
    assert all(meaning.error is Throttled for meaning in CODES.values() if meaning.retry_after_s)


@pytest.mark.parametrize(
    ("code", "want"),
    [
        ("63016", ("window_closed", "63016")),
        ("20003", ("credentials_refused", "20003")),
        ("1", ("refused", "1")),
        ("", ("refused", None)),
        ("x" * 99, ("refused", "x" * 32)),
        ("٦٣٠١٦", ("refused", "٦٣٠١٦")),
        ("9" * 5000, ("refused", "9" * 32)),
    ],
)
def test_failure(code: str, want: tuple[str, str | None]) -> None:
    """Ours where we know it; else the provider's, cut to a length that fits."""
    found = failure(code)
    assert (found.code, found.provider_code) == want
    assert found.text


def test_a_failure_without_a_reason_names_none() -> None:
    """A message that was canceled, say: there is no number that we could know or not."""
    assert failure("").text == refusal(None).text == "the provider gives no reason"
    assert failure("1").text == refusal(1).text == "an error that this program does not know"


@pytest.mark.parametrize(
    ("code", "want"),
    [
        (30007, ("refused", "30007", None)),
        (63018, ("throttled", "63018", 60.0)),
        (20005, ("channel_blocked", "20005", None)),
        (1, ("refused", "1", None)),
        (None, ("refused", None, None)),
    ],
)
def test_refusal(code: int | None, want: tuple[str, str | None, float | None]) -> None:
    """What was taken and failed at once is certain, whatever its number."""
    error = refusal(code)
    assert (error.code, error.provider_code, error.retry_after_s) == want
    assert error.certain
