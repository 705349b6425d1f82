"""Files out (the three-step upload) and in (a download with the bot token).

Rule: whatever goes wrong before the upload is completed, the message surely did not go out; the next attempt begins
anew. A completion in doubt is looked up: a file that is shared is out.
Rule: the token goes to Slack's own hosts and to the configured API, nowhere else: redirects are followed without it.
Rule: a page of HTML instead of the file is Slack's login page, and is not the file.
See https://docs.slack.dev/messaging/working-with-files
"""

from msgspec import Struct

from adapters._files import Files, stored_size
from adapters._http import header
from adapters.base import (
    CredentialsRefused,
    Fetched,
    Flow,
    HttpCall,
    MediaFailed,
    NoAnswer,
    Refused,
    Reply,
    SendError,
    Unavailable,
    Upload,
)
from adapters.slack import wire
from adapters.slack.api import BOT_TOKEN, Api, ask
from adapters.slack.codes import send_error
from adapters.slack.events import FILE
from adapters.slack.mrkdwn import encode
from adapters.slack.people import message_id
from normalizer.envelope import MediaRef
from normalizer.ids import ExternalId

MAX_BYTES = 1_000_000_000
"""Of one file, in either direction."""
OUR_HOSTS = (".slack.com",)
_GONE = frozenset({403, 404, 410})


class FileOut(Struct, frozen=True, kw_only=True):
    """A message that is a file."""

    kind: str
    media: MediaRef
    caption: str | None = None

    @property
    def name(self) -> str:
        media = self.media
        mime = media.sniffed or media.mime or "application/octet-stream"
        return media.filename or f"{self.kind}.{mime.rpartition('/')[2].partition(';')[0]}"


def check(file: FileOut) -> None:
    """Raises MediaFailed for what can not be sent, before anything is."""
    media = file.media
    if media.failed or not media.stored:
        raise MediaFailed("there are no bytes to send")
    if media.size is None or media.size < 1:
        raise MediaFailed("the size of the file is not known, and Slack asks for it first")
    if media.size > MAX_BYTES:
        raise MediaFailed(f"{file.kind} of {media.size} bytes; the limit is {MAX_BYTES}")


def upload(api: Api, file: FileOut, channel: str, thread: str | None) -> Flow[ExternalId]:
    """The id of the file: Slack posts the message a moment later, and its ts is not told."""
    ticket = yield from _put(api, file)
    payload = {
        "files": [{"id": ticket, "title": file.name}],
        "channel_id": channel,
        "thread_ts": thread,
        "initial_comment": encode(file.caption) if file.caption else None,
    }
    try:
        yield from ask(api.post("files.completeUploadExternal", payload), wire.Answer, recipient=True)
    except SendError as error:
        if error.certain:
            raise
        return (yield from _look_up(api, ticket, channel, error))
    return ExternalId(FILE + ticket)


def _put(api: Api, file: FileOut) -> Flow[str]:
    media = file.media
    assert media.stored is not None
    try:
        ticket = yield from ask(
            api.form("files.getUploadURLExternal", {"filename": file.name, "length": media.size}), wire.Ticket
        )
        if not ticket.upload_url or not ticket.file_id:
            raise NoAnswer("no URL to upload to")
        mime = media.sniffed or media.mime or "application/octet-stream"
        upload = Upload(stored=media.stored, field="file", filename=file.name, mime=mime)
        foreign = not _files(api).is_api(ticket.upload_url)
        reply: Reply = yield HttpCall(method="POST", url=ticket.upload_url, upload=upload, foreign=foreign)
        if not 200 <= reply.status < 300:
            raise send_error(reply)
    except NoAnswer:
        raise Unavailable("the upload got no answer") from None
    except SendError as error:
        error.certain = True
        raise
    return ticket.file_id


def _look_up(api: Api, file_id: str, channel: str, error: SendError) -> Flow[ExternalId]:
    """Raises `error` when it can not be told that the file is out."""
    try:
        info = yield from ask(api.form("files.info", {"file": file_id}), wire.FileInfo)
    except SendError:
        raise error from None
    shares = (info.file and info.file.shares) or {}
    for by_channel in shares.values():
        for share in by_channel.get(channel, ()):
            return message_id(channel, share.ts) or ExternalId(FILE + file_id)
    raise error


# --- in -----------------------------------------------------------------------------------------------------------


def fetch(api: Api, media: MediaRef) -> Flow[Fetched]:
    if media.url:
        reply = yield from _files(api).get(media.url)
        if not _is_login_page(reply, media) and reply.status not in _GONE:
            return _fetched(reply, media)
    return (yield from _fetch_by_id(api, media))


def _fetch_by_id(api: Api, media: MediaRef) -> Flow[Fetched]:
    """For files of other organizations, whose URL comes on demand, and to learn what is wrong with a URL."""
    if not media.external_id:
        raise MediaFailed("neither a URL that gives the file, nor its id")
    file = (yield from _info(api, media.external_id)).file
    url = file and (file.url_private_download or file.url_private)
    if file is None or not url:
        raise MediaFailed("the file has no URL")
    reply = yield from _files(api).get(url)
    if _is_login_page(reply, media):
        raise CredentialsRefused("a login page came instead of the file: the token may not read files (files:read)")
    if reply.status in _GONE:
        raise MediaFailed(f"status {reply.status}: the file is gone")
    return _fetched(reply, media, file.mimetype)


def _info(api: Api, file_id: str) -> Flow[wire.FileInfo]:
    try:
        return (yield from ask(api.form("files.info", {"file": file_id}), wire.FileInfo))
    except Refused as error:
        raise MediaFailed("the provider does not give it", provider_code=error.provider_code) from None


def _is_login_page(reply: Reply, media: MediaRef) -> bool:
    """A file that is HTML itself is told from it by its size."""
    if reply.status != 200 or not header(reply, "content-type").lower().startswith("text/html"):
        return False
    is_html = (media.mime or "").startswith("text/html")
    return not is_html or (media.size is not None and stored_size(reply) not in (None, media.size))


def _fetched(reply: Reply, media: MediaRef, mime: str | None = None) -> Fetched:
    if reply.status != 200:
        raise send_error(reply)
    stored = header(reply, "x-stored")
    if not stored:
        raise Unavailable("the bytes were not stored")
    mime = media.mime or mime or header(reply, "content-type") or None
    return Fetched(stored=stored, mime=mime, size=stored_size(reply))


def _files(api: Api) -> Files:
    return Files(api_url=api.api_url, hosts=OUR_HOSTS, auth=BOT_TOKEN, max_bytes=MAX_BYTES)
