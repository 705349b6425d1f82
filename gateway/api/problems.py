"""Everything that can go wrong with a request, as problems (RFC 9457): one table of codes, each with its status.

Rule: a code is a promise to programs: it is never renamed, and its status never changes.
Rule: a detail tells the caller what to do; it never holds words of a customer or an inner error's text.
"""

from collections.abc import Mapping

import msgspec
from aiohttp import web
from msgspec import Struct

CONTENT_TYPE = "application/problem+json"
PREFIX = "urn:throughline:"

CODES: Mapping[str, tuple[int, str]] = {
    "bad_request": (400, "The request is not what this operation takes"),
    "unauthenticated": (401, "A valid API key is needed"),
    "forbidden": (403, "The key's scope does not reach so far"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "This path has no such method"),
    "body_too_slow": (408, "The body took too long"),
    "conflict": (409, "The holder changed meanwhile"),
    "engine_down": (409, "The AI engine is down and cannot hold a conversation"),
    "key_reused": (409, "The idempotency key belongs to another request"),
    "nowhere_to_reply": (409, "The conversation has no address to answer to"),
    "not_linked": (409, "The contact is not linked to another one"),
    "already_replayed": (409, "It was replayed before"),
    "bytes_gone": (410, "Its bytes were deleted by a retention rule"),
    "body_too_large": (413, "The body is over the limit"),
    "wrong_content_type": (415, "The body must be application/json"),
    "cannot_send": (422, "The customer's channel cannot carry this"),
    "internal": (500, "A mistake of ours"),
    "not_processed": (500, "It was kept, and could not be processed; it is listed as dead"),
    "store_unavailable": (503, "The database does not answer; try again"),
    "draining": (503, "This node is stopping; try again"),
    "disk_full": (503, "The disk is nearly full"),
}
ANYWHERE = ("bad_request", "unauthenticated", "forbidden", "internal", "store_unavailable")
"""What any operation with a key may answer."""
BODY = ("body_too_slow", "body_too_large", "wrong_content_type")
WRITES = ("draining", "disk_full")

RETRY_AFTER_S = {"store_unavailable": 1, "draining": 5, "disk_full": 60}


class ProblemBody(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"type_": "type"}):
    """RFC 9457. `type` is `urn:throughline:` and a code that does not change."""

    type_: str
    title: str
    status: int
    detail: str = ""
    path: str = ""
    """Where in the request the mistake is: `$.parts[0].text`; of a query parameter or header its name."""
    epoch: int | None = None
    """With `conflict` and `engine_down`: the conversation's epoch as it is now."""


class Problem(Exception):
    """Ends a request. Raised by whoever finds it."""

    def __init__(self, code: str, detail: str = "", *, path: str = "", epoch: int | None = None,
                 headers: Mapping[str, str] | None = None) -> None:  # fmt: skip
        super().__init__(code)
        status, title = CODES[code]
        self.code, self.headers = code, dict(headers or {})
        self.body = ProblemBody(type_=PREFIX + code, title=title, status=status, detail=detail, path=path, epoch=epoch)
        if code in RETRY_AFTER_S:
            self.headers["Retry-After"] = str(RETRY_AFTER_S[code])

    def response(self) -> web.Response:
        return web.Response(
            status=self.body.status, body=msgspec.json.encode(self.body), content_type=CONTENT_TYPE,
            headers=self.headers,
        )  # fmt: skip


def mistake(error: Exception, root: str = "") -> Problem:
    """What msgspec found wrong, and where."""
    text, _, place = str(error).partition(" - at `")
    path = place.removesuffix("`") or "$"
    return Problem("bad_request", text, path=path.removeprefix("$.") if root == "query" else path)
