"""adapters/_mail/simulator_posts.py: posts that come again until they are taken, or are given up."""

from datetime import datetime, timedelta

from adapters._mail.simulator import Arriving, World
from adapters._mail.simulator_posts import Posts, multipart
from adapters.base import Request
from tests.adapters._mail.hooks import multipart as by_hand
from tests.adapters._mail.outbound import OURS
from tests.adapters._mail.worlds import ids
from tests.kit.cases import NOW


def made(*waits: float) -> Posts:
    def post(one: Arriving, now: datetime) -> Request:
        return Request(method="POST", url="https://x.example", body=one.data)

    return Posts(World(addresses=(OURS,), ids=ids()), post, waits, stop_at=frozenset({406}))


def test_it_is_given_up_after_the_last_try() -> None:
    posts = made(10, 20)
    posts.world.arrive(b"x", "", OURS, NOW)
    seen = []
    for second in range(0, 100, 5):
        seen += [second for _ in posts.due(NOW + timedelta(seconds=second))]
    assert seen == [0, 10, 30]
    assert ([one.body for one in posts.given_up], posts.undelivered) == ([b"x"], 0)


def test_what_was_answered_is_done() -> None:
    for status, left in ((200, 0), (204, 0), (406, 0), (400, 1), (503, 1)):
        posts = made(10)
        posts.world.arrive(b"x", "", OURS, NOW)
        (request,) = posts.due(NOW)
        posts.delivered(request, status)
        assert posts.undelivered == left


def test_the_newest_first() -> None:
    posts = made(10)
    posts.reorder = True
    for number in range(2):
        posts.world.arrive(str(number).encode(), "", OURS, NOW + timedelta(seconds=number))
    assert [one.body for one in posts.due(NOW + timedelta(seconds=5))] == [b"1", b"0"]


def test_when_to_look_again() -> None:
    posts = made(10)
    assert posts.next_due() is None
    posts.world.arrive(b"x", "", OURS, NOW)
    assert posts.next_due() == NOW
    posts.due(NOW)
    assert posts.next_due() == NOW + timedelta(seconds=10)
    assert posts.answer(Request(method="GET", url="https://x.example"), NOW).status == 404


def test_a_form_is_the_one_that_is_typed_by_hand() -> None:
    body, _ = by_hand(("a", "1"), ("f", b"\x00", "n", "image/png"))
    assert multipart([("a", "1")], [("f", "n", "image/png", b"\x00")], "xYzZY") == body
