"""The catalogue: every documented number has a meaning, and nothing else decides."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import NoAnswer, Reply, SendError, Throttled
from adapters.whatsapp import wire
from adapters.whatsapp.codes import CODES, failure, meaning, send_error

DOCUMENTED = (
    0, 190, 3, 10, 200, 299, 131005, 4, 80007, 130429, 131048, 131056, 131064, 133016, 1, 2, 131000, 131016, 133004,
    135000, 131057, 2494100, 131047, 470, 131026, 131049, 131050, 130472, 131051, 131052, 131053, 131008, 131009, 100,
    33, 132000, 132001, 132005, 132007, 132012, 132015, 132016, 132068, 132069, 131021, 131030, 131031, 368, 130497,
    131037, 131042, 131044, 131045, 133010, 131062, 131063, 137000, 138000, 138018, 139100, 139103, 147001, 147004,
)  # fmt: skip
BACK_OFF = {4, 80007, 130429, 131048, 131056, 133016}


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_documented_code_has_a_meaning(code: int) -> None:
    """In a webhook and in an answer the same, certain, with the provider's code beside ours."""
    found = meaning(code)
    assert found is not None
    error = send_error(Reply(400, {}, json.dumps({"error": {"code": code}}).encode()))
    assert type(error) is found.error
    assert (error.provider_code, error.certain) == (str(code), True)
    assert failure(wire.Error(code=code)).code == error.code


def test_what_asks_to_slow_down() -> None:
    """The codes that are known as such are Throttled."""
    assert {code for code in BACK_OFF if CODES[code].error is not Throttled} == set()


@pytest.mark.parametrize("code", [-1, 199, 300, 138019, 999999, 10**30])
def test_other_codes_have_none(code: int) -> None:
    """At the limits of the ranges and beyond."""
    assert meaning(code) is None


def test_words_of_the_provider_are_not_repeated() -> None:
    """They may hold a customer's number."""
    body = {"error": {"code": 131026, "message": "16505551234", "error_data": {"details": "16505551234"}}}
    error = send_error(Reply(400, {}, json.dumps(body).encode()))
    assert "16505551234" not in error.text + repr(error)
    told = failure(wire.Error(code=131026, title="16505551234", details="16505551234"))
    assert "16505551234" not in told.text


@pytest.mark.parametrize(
    ("header", "want"),
    [("17", 17.0), ("0", 0.0), ("1.5", 1.5), ("-1", None), ("nan", None), ("inf", None), ("", None),
     ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("99999999999", 7 * 86_400.0)],
)  # fmt: skip
def test_retry_after(header: str, want: float | None) -> None:
    """Seconds, bounded; anything else is as if it were not there."""
    assert send_error(Reply(429, {"Retry-After": header})).retry_after_s == want


def test_the_longer_wait_counts() -> None:
    """What the header asks for and what the code is known to need."""
    body = b'{"error":{"code":131056}}'
    assert send_error(Reply(400, {"retry-after": "2"}, body)).retry_after_s == 6.0
    assert send_error(Reply(400, {"retry-after": "20"}, body)).retry_after_s == 20.0


def test_transient_errors_of_the_future_may_be_tried_again() -> None:
    """The provider's own word for it counts where the code is unknown."""
    body = b'{"error":{"code":999999,"is_transient":true}}'
    assert send_error(Reply(400, {}, body)).retryable


@given(st.integers(100, 599), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["error", "code"]), inner, max_size=3),
    max_leaves=6,
))  # fmt: skip
def test_any_answer_is_a_send_error(status: int, document: object) -> None:
    """Whatever JSON stands in an error answer; no answer is never certain."""
    error = send_error(Reply(status, {}, json.dumps(document).encode()))
    assert isinstance(error, SendError)
    assert not (isinstance(error, NoAnswer) and error.certain)
