"""The Web API of the simulator.

Rule: refusals are 200 with `ok: false` and Slack's own names; see codes.py for what the adapter makes of them.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters.base import Reply, Request
from adapters.slack.people import order
from adapters.slack.simulator_rules import UPDATE_TEXT_MAX, check_content
from adapters.slack.simulator_world import Person, Refusal, Room, Said, StoredFile, Ticket, World, answered

SLOW_HEADER = "x-simulated-delay-s"
"""On a reply that the host of the simulator is to hold back; `never`: it is not to be given."""
EVERY = timedelta(seconds=1)
LOGIN_PAGE = Reply(200, {"content-type": "text/html; charset=utf-8"}, b"<!DOCTYPE html><title>Sign in | Slack</title>")
Fields = Mapping[str, Any]
Told = tuple[str, Said, str | None]
"""What everybody in the conversation learns: `said`, `changed` (with the text of before) or `deleted`."""

_FAULTS: Mapping[str, Reply] = {
    "429": Reply(429, {"retry-after": "2", "content-type": "application/json"}, b'{"ok":false,"error":"ratelimited"}'),
    "503": Reply(503, {"content-type": "application/json"}, b'{"ok":false,"error":"service_unavailable"}'),
    "html": Reply(502, {"content-type": "text/html"}, b"<html><body>Bad Gateway</body></html>"),
    "invalid_auth": answered(ok=False, error="invalid_auth"),
    "internal_error": answered(ok=False, error="internal_error"),
    "empty": Reply(200, {}, b""),
}


def answer(world: World, request: Request, now: datetime, open_socket: Callable[[], str]) -> tuple[Reply, list[Told]]:
    fault = world.faults.pop(0) if world.faults else None
    if fault and fault not in ("slow", "lost"):
        return _FAULTS[fault], []
    told: list[Told] = []
    try:
        reply = _Call(world, request, now, open_socket, told).answer()
    except Refusal as refusal:
        reply = refusal.reply
    if fault is None:
        return reply, told
    delay = {"slow": "30", "lost": "never"}[fault]
    return Reply(reply.status, {**reply.headers, SLOW_HEADER: delay}, reply.body), told


class _Call:
    def __init__(self, world: World, request: Request, now: datetime, open_socket: Callable[[], str],
                 told: list[Told]) -> None:  # fmt: skip
        self._world, self._now, self._open_socket, self._told = world, now, open_socket, told
        self._request = request
        self._headers = {name.lower(): text for name, text in request.headers.items()}

    def answer(self) -> Reply:
        parts, base = urlsplit(self._request.url), urlsplit(self._world.api_url)
        if parts.netloc != base.netloc:
            return Reply(404, {}, b"")
        if parts.path.startswith("/upload/"):
            return self._take(parts.path.removeprefix("/upload/"))
        if parts.path.startswith("/files-pri/"):
            return self._give(parts.path)
        method = parts.path.removeprefix(base.path.rstrip("/") + "/")
        handler = _METHODS.get(method)
        if handler is None:
            raise Refusal("unknown_method", req_method=method)
        self._check_token(method)
        return handler(self, self._fields(method))

    def _check_token(self, method: str) -> None:
        given = self._headers.get("authorization", "")
        wanted = self._world.app_token if method == "apps.connections.open" else self._world.bot_token
        if not given:
            raise Refusal("not_authed")
        if given != f"Bearer {wanted}":
            raise Refusal("invalid_auth")
        if not self._world.is_installed:
            raise Refusal("account_inactive")
        scope = _SCOPES.get(method)
        if scope and scope not in self._world.scopes:
            raise Refusal("missing_scope", needed=scope, provided=",".join(sorted(self._world.scopes)))

    def _fields(self, method: str) -> Fields:
        """JSON is understood by methods that write; those that read see no arguments in it."""
        type_ = self._headers.get("content-type", "")
        if type_.startswith("application/json") and method not in _FORM_ONLY:
            try:
                fields = json.loads(self._request.body)
            except ValueError:
                raise Refusal("invalid_json") from None
            if not isinstance(fields, dict):
                raise Refusal("json_not_object")
            return fields
        if type_.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(self._request.body.decode()))
        return {}

    # --- messages -------------------------------------------------------------------------------------------------

    def post_message(self, fields: Fields) -> Reply:
        room = self._room(fields.get("channel"), opens=True)
        check_content(fields)
        self._throttle(room)
        root = self._root(room, fields.get("thread_ts"))
        said = Said(room, self._world.ts(room, self._now), self._world.bot_user, fields.get("text") or "", root, True)
        said.blocks, said.metadata = list(fields.get("blocks") or []), fields.get("metadata")
        self._say(said)
        return answered(channel=room.id, ts=said.ts, message=self._world.message(said))

    def update(self, fields: Fields) -> Reply:
        said = self._own(fields, "cant_update_message")
        check_content(fields, UPDATE_TEXT_MAX)
        before, said.text = said.text, fields.get("text") or ""
        said.blocks, said.edited = list(fields.get("blocks") or []), self._world.ts(said.room, self._now)
        self._told.append(("changed", said, before))
        return answered(channel=said.room.id, ts=said.ts, text=said.text)

    def delete(self, fields: Fields) -> Reply:
        said = self._own(fields, "cant_delete_message")
        del self._world.said[said.room.id, said.ts]
        self._told.append(("deleted", said, None))
        return answered(channel=said.room.id, ts=said.ts)

    def _say(self, said: Said) -> None:
        self._world.said[said.room.id, said.ts] = said
        self._told.append(("said", said, None))

    def _room(self, id: Any, *, opens: bool = False) -> Room:
        room = self._world.rooms.get(id) if isinstance(id, str) else None
        person = self._world.people.get(id) if opens and isinstance(id, str) else None
        if room is None and person is not None:
            room = self._world.direct(person)
        if room is None:
            raise Refusal("channel_not_found")
        if not room.has_app:
            raise Refusal("not_in_channel")
        if room.is_archived:
            raise Refusal("is_archived")
        return room

    def _throttle(self, room: Room) -> None:
        paid = max(room.paid or self._now, self._now)
        if paid - self._now > EVERY * (self._world.burst - 1):
            raise _Throttled
        room.paid = paid + EVERY

    def _root(self, room: Room, ts: Any) -> str | None:
        """An answer to an answer lands in the same thread; what is no message has none."""
        if not ts:
            return None
        root = self._world.said.get((room.id, ts))
        if root is None:
            raise Refusal("thread_not_found")
        return root.thread_ts or root.ts

    def _own(self, fields: Fields, refused: str) -> Said:
        said = self._message(fields, "ts")
        if not said.by_app:
            raise Refusal(refused)
        return said

    def _message(self, fields: Fields, key: str) -> Said:
        room = self._room(fields.get("channel"))
        said = self._world.said.get((room.id, str(fields.get(key))))
        if said is None:
            raise Refusal("message_not_found")
        return said

    # --- reactions ------------------------------------------------------------------------------------------------

    def add_reaction(self, fields: Fields) -> Reply:
        said, name = self._message(fields, "timestamp"), fields.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
            raise Refusal("invalid_name")
        users = said.reactions.setdefault(name, [])
        if self._world.bot_user in users:
            raise Refusal("already_reacted")
        users.append(self._world.bot_user)
        return answered()

    def remove_reaction(self, fields: Fields) -> Reply:
        users = self._message(fields, "timestamp").reactions.get(str(fields.get("name")), [])
        if self._world.bot_user not in users:
            raise Refusal("no_reaction")
        users.remove(self._world.bot_user)
        return answered()

    def get_reactions(self, fields: Fields) -> Reply:
        said = self._message(fields, "timestamp")
        seen = [{"name": name, "users": users, "count": len(users)} for name, users in said.reactions.items() if users]
        return answered(type="message", channel=said.room.id, message={**self._world.message(said), "reactions": seen})

    # --- conversations --------------------------------------------------------------------------------------------

    def open_conversation(self, fields: Fields) -> Reply:
        person: Person | None = self._world.people.get(str(fields.get("users")))
        if person is None:
            raise Refusal("user_not_found")
        return answered(channel={"id": self._world.direct(person).id})

    def history(self, fields: Fields) -> Reply:
        room = self._room(fields.get("channel"))
        roots = [s for s in self._of(room, fields) if s.thread_ts in (None, s.ts) or "subtype" in s.more]
        return self._page(list(reversed(roots)), fields)

    def replies(self, fields: Fields) -> Reply:
        room, root = self._room(fields.get("channel")), fields.get("ts")
        if (room.id, root) not in self._world.said:
            raise Refusal("thread_not_found")
        thread = [s for s in self._of(room, fields) if s.thread_ts == root and s.ts != root]
        return self._page([self._world.said[room.id, str(root)], *thread], fields)

    def _of(self, room: Room, fields: Fields) -> list[Said]:
        oldest = order(str(fields.get("oldest", "0")))
        found = [said for said in self._world.said.values() if said.room is room and order(said.ts) > oldest]
        return sorted(found, key=lambda said: order(said.ts))

    def _page(self, found: list[Said], fields: Fields) -> Reply:
        start = int(fields.get("cursor") or 0)
        end = start + min(int(fields.get("limit", 100)), self._world.page)
        more = end < len(found)
        cursor = {"next_cursor": str(end)} if more else {"next_cursor": ""}
        shown = [self._past(said, fields) for said in found[start:end]]
        return answered(messages=shown, has_more=more, response_metadata=cursor)

    def _past(self, said: Said, fields: Fields) -> dict[str, Any]:
        shown = self._world.message(said)
        if fields.get("include_all_metadata") != "true":
            shown.pop("metadata", None)
        replies = [other.ts for other in self._world.said.values()
                   if other.room is said.room and other.thread_ts == said.ts and other is not said]  # fmt: skip
        if replies:
            shown |= {"thread_ts": said.ts, "reply_count": len(replies), "latest_reply": max(replies, key=order)}
        return shown

    # --- files ----------------------------------------------------------------------------------------------------

    def promise_upload(self, fields: Fields) -> Reply:
        length = str(fields.get("length", ""))
        if not fields.get("filename") or not length.isdecimal() or int(length) < 1:
            raise Refusal("invalid_arguments")
        id = "F" + next(self._world.ids)
        self._world.tickets[id] = Ticket(fields["filename"], int(length))
        parts = urlsplit(self._world.api_url)
        return answered(upload_url=f"{parts.scheme}://{parts.netloc}/upload/{id}", file_id=id)

    def _take(self, id: str) -> Reply:
        ticket = self._world.tickets.get(id)
        data = _uploaded(self._headers.get("content-type", ""), self._request.body)
        if ticket is None or len(data) != ticket.length:
            return Reply(400, {"content-type": "text/plain"}, b"invalid upload")
        ticket.data = data
        return Reply(200, {"content-type": "text/plain"}, f"OK - {len(data)}".encode())

    def complete_upload(self, fields: Fields) -> Reply:
        room, shown = self._room(fields.get("channel_id")), []
        for one in fields.get("files") or ():
            ticket = self._world.tickets.get(one.get("id"))
            if ticket is None or ticket.data is None:
                raise Refusal("file_not_found")
            stored = StoredFile(one["id"], one.get("title") or ticket.name, "application/octet-stream", ticket.data)
            self._world.files[stored.id] = stored
            shown.append(stored.id)
        if not shown:
            raise Refusal("invalid_arguments")
        root = self._root(room, fields.get("thread_ts"))
        text = fields.get("initial_comment") or ""
        said = Said(room, self._world.ts(room, self._now), self._world.bot_user, text, root, True, files=shown)
        said.more = {"subtype": "file_share"}
        for id in shown:
            self._world.files[id].shares[room.id] = said.ts
        self._say(said)
        return answered(files=[{"id": id, "title": self._world.files[id].name} for id in shown])

    def file_info(self, fields: Fields) -> Reply:
        id = str(fields.get("file"))
        if id not in self._world.files:
            raise Refusal("file_not_found")
        if self._world.files[id].is_gone:
            raise Refusal("file_deleted")
        return answered(file=self._world.described(id, whole=True))

    def _give(self, path: str) -> Reply:
        file = self._world.files.get(path.split("/")[2].rpartition("-")[2])
        if self._headers.get("authorization") != f"Bearer {self._world.bot_token}":
            return LOGIN_PAGE
        if file is None or file.is_gone:
            return Reply(404, {"content-type": "text/html"}, b"")
        if "files:read" not in self._world.scopes:
            return LOGIN_PAGE
        if file.redirect:
            return Reply(302, {"location": file.redirect}, b"")
        return Reply(200, {"content-type": file.mime}, file.data)

    # --- the app --------------------------------------------------------------------------------------------------

    def test(self, fields: Fields) -> Reply:
        world = self._world
        reply = answered(team_id=world.team, user_id=world.bot_user, bot_id=world.bot_id, is_enterprise_install=False)
        headers = {**reply.headers, "x-oauth-scopes": ",".join(sorted(world.scopes))}
        return Reply(200, headers, reply.body)

    def open_socket(self, fields: Fields) -> Reply:
        if not self._world.socket_mode:
            raise Refusal("socket_mode_not_enabled")
        return answered(url=self._open_socket())


class _Throttled(Refusal):
    def __init__(self) -> None:
        super().__init__("ratelimited")
        self.reply = Reply(429, {**self.reply.headers, "retry-after": "1"}, self.reply.body)


def _uploaded(content_type: str, body: bytes) -> bytes:
    """The raw bytes, or the one file of a multipart body."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is None:
        return body
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return data.removesuffix(b"\r\n")
    return b""


_METHODS: Mapping[str, Callable[[_Call, Fields], Reply]] = {
    "apps.connections.open": _Call.open_socket,
    "auth.test": _Call.test,
    "chat.delete": _Call.delete,
    "chat.postMessage": _Call.post_message,
    "chat.update": _Call.update,
    "conversations.history": _Call.history,
    "conversations.open": _Call.open_conversation,
    "conversations.replies": _Call.replies,
    "files.completeUploadExternal": _Call.complete_upload,
    "files.getUploadURLExternal": _Call.promise_upload,
    "files.info": _Call.file_info,
    "reactions.add": _Call.add_reaction,
    "reactions.get": _Call.get_reactions,
    "reactions.remove": _Call.remove_reaction,
}
_FORM_ONLY = frozenset(
    {
        "conversations.history", "conversations.replies", "files.getUploadURLExternal", "files.info", "reactions.get",
    }
)  # fmt: skip
_SCOPES = {
    "chat.postMessage": "chat:write", "chat.update": "chat:write", "chat.delete": "chat:write",
    "conversations.open": "im:write", "files.info": "files:read", "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}  # fmt: skip
