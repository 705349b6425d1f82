"""What is told, to whom, and how it is signed."""

from itertools import count

import pytest

from adapters.twilio_voice.simulator_world import Refusal, World, rfc2822
from tests.adapters.twilio_voice.support import ACCOUNT, NUMBER, TOKEN, signature
from tests.kit import HOOK_URL
from tests.kit.cases import NOW


def world() -> World:
    ids = (str(number) for number in count(1))
    return World(account_sid=ACCOUNT, auth_token=TOKEN, number=NUMBER, voice_url=HOOK_URL, ids=ids)


def test_ids_look_like_the_providers() -> None:
    first, second = world().sid("CA"), world().sid("VX")
    assert (len(first), first[:2], second[:2]) == (34, "CA", "VX")


def test_it_signs_as_the_provider_does() -> None:
    """Against a signature that is made here, from the standard library alone."""
    fields = {"CallSid": "CA1", "ToCity": ""}
    request, _ = world().signed(f"{HOOK_URL}?a=1#rc=5&rp=all", fields)
    assert request.url == f"{HOOK_URL}?a=1"
    assert request.headers["x-twilio-signature"] == signature(f"{HOOK_URL}?a=1", list(fields.items()))
    asked, _ = world().signed(HOOK_URL, fields, "GET")
    assert (asked.url, asked.body) == (f"{HOOK_URL}?CallSid=CA1&ToCity=", b"")
    assert asked.headers["x-twilio-signature"] == signature(asked.url)


@pytest.mark.parametrize(
    ("fragment", "retries"),
    [("", 0), ("#rc=5&rp=all", 5), ("#rc=2&rp=5xx", 2), ("#rc=5", 0), ("#rc=5&rp=ct", 0)],
)
def test_how_often_a_url_wants_to_be_asked_again(fragment: str, retries: int) -> None:
    assert world().signed(HOOK_URL + fragment, {})[1] == retries


def test_what_was_sent_is_not_due_again_until_it_is_answered() -> None:
    one = world()
    one.tell("CA1", HOOK_URL, {"a": "b"}, NOW)
    (request,) = one.due(NOW)
    assert one.due(NOW) == []
    assert one.taken(request) is not None
    assert one.taken(request) is None


def test_an_error_is_in_the_providers_form() -> None:
    reply = Refusal(400, 21220, "over").reply
    assert (reply.status, b'"code": 21220' in reply.body) == (400, True)


def test_times_are_written_as_in_a_mail() -> None:
    assert rfc2822(NOW) == "Fri, 02 Jan 2026 03:04:05 +0000"
