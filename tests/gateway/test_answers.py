"""Answers in one piece are what aiohttp would have said, and odd ones are left to it."""

from email.utils import parsedate_to_datetime

import pytest
from aiohttp import HttpVersion10, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from adapters.base import Reply
from gateway.answers import Written, to_response

SECOND = 1_767_323_045

REPLIES = [
    Reply(),
    Reply(200, {"Content-Type": "text/xml"}, b"<Response/>"),
    Reply(200, {}, b"challenge"),
    Reply(403, {"X-One": "1", "X-Two": "2"}),
    Reply(299, {}, b"odd"),
]


@pytest.mark.parametrize("reply", REPLIES)
async def test_a_client_reads_it_and_keeps_its_connection(reply: Reply) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return to_response(reply, request, SECOND)

    app = web.Application()
    app.router.add_route("*", "/", handler)
    async with TestClient(TestServer(app)) as client:
        for _ in range(3):
            async with client.post("/", data=b"x") as answer:
                assert (answer.status, await answer.read()) == (reply.status, reply.body)
                assert {name: answer.headers[name] for name in reply.headers} == dict(reply.headers)
                assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == SECOND
        assert client.session.connector is not None
        assert len(client.session.connector._conns) == 1


@pytest.mark.parametrize(
    ("reply", "method", "version"),
    [
        (Reply(204), "POST", None),
        (Reply(200, {}, b"x"), "HEAD", None),
        (Reply(), "POST", HttpVersion10),
        (Reply(200, {"Connection": "close"}), "POST", None),
        (Reply(200, {"X-Bad": "a\r\nX-Evil: b"}), "POST", None),
    ],
)
def test_what_is_not_plain_goes_the_usual_way(reply: Reply, method: str, version: object) -> None:
    request = make_mocked_request(method, "/", **({"version": version} if version else {}))  # type: ignore[arg-type]
    assert not isinstance(to_response(reply, request, SECOND), Written)


def test_a_plain_one_is_written_in_one_piece() -> None:
    assert isinstance(to_response(Reply(), make_mocked_request("POST", "/"), SECOND), Written)
