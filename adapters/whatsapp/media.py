"""Media out (a link, an upload or an id) and in (the two-step fetch).

Rule: bytes go out by the public link that the gateway signed for them; without one they are uploaded first. A link
that a payload named is used only while we hold no bytes of our own.
Rule: the token goes to Meta's own hosts and to the configured API, nowhere else: redirects are followed without it.
See https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from adapters._files import Files, stored_size
from adapters._http import header
from adapters.base import (
    Fetched,
    Flow,
    HttpCall,
    MediaFailed,
    NoAnswer,
    Refused,
    SendError,
    Unavailable,
    Upload,
)
from adapters.whatsapp import wire
from adapters.whatsapp.api import TOKEN, Api, ask
from adapters.whatsapp.codes import send_error
from normalizer.envelope import MediaRef

MAX_BYTES: Mapping[str, int] = {
    "audio": 16_000_000,
    "image": 5_000_000,
    "video": 16_000_000,
    "document": 100_000_000,
    "sticker": 500_000,
}
"""Of what we send."""
SHOWN: Mapping[str, frozenset[str]] = {
    "audio": frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}),
    "image": frozenset({"image/jpeg", "image/png"}),
    "video": frozenset({"video/mp4", "video/3gpp"}),
    "sticker": frozenset({"image/webp"}),
}
"""What the customer's app shows or plays by itself."""
MAX_FETCH_BYTES = 100_000_000
OUR_HOSTS = (".fbsbx.com", ".fbcdn.net", ".facebook.com", ".whatsapp.net")
"""Meta's; their URLs are of no use to anybody without the token."""
_GONE = frozenset({400, 401, 403, 404, 410})
"""Answers of a media URL that is older than its five minutes."""


class Attachment(Struct, frozen=True, kw_only=True):
    """A place in a payload where a media object goes."""

    kind: str
    media: MediaRef
    more: Mapping[str, str] = {}


def with_media(api: Api, value: Any, urls: Mapping[str, str]) -> Flow[Any]:
    """The payload with every Attachment replaced by an object that names the bytes; uploads what needs it."""
    match value:
        case Attachment():
            named = yield from _named(api, value, urls)
            return {**named, **value.more}
        case dict():
            filled = {}
            for key, item in value.items():
                filled[key] = yield from with_media(api, item, urls)
            return filled
        case list():
            listed = []
            for item in value:
                listed.append((yield from with_media(api, item, urls)))  # noqa: PERF401  it yields
            return listed
        case _:
            return value


def shown_as(kind: str, media: MediaRef) -> str:
    """Files of other types are refused after they were accepted (131053); as documents they arrive."""
    mime = (media.sniffed or media.mime or "").partition(";")[0].strip().lower()
    return kind if not mime or mime in SHOWN.get(kind, (mime,)) else "document"


def check(attachment: Attachment) -> None:
    """Raises MediaFailed for what can not be sent, before anything is."""
    media, limit = attachment.media, MAX_BYTES[attachment.kind]
    if media.failed or not (media.stored or media.url or media.external_id):
        raise MediaFailed("there are no bytes to send")
    if media.size is not None and media.size > limit:
        raise MediaFailed(f"{attachment.kind} of {media.size} bytes; the limit is {limit}")


def _named(api: Api, attachment: Attachment, urls: Mapping[str, str]) -> Flow[dict[str, str]]:
    media = attachment.media
    if media.stored and (link := urls.get(media.stored)):
        return {"link": link}
    if media.stored:
        return {"id": (yield from _upload(api, attachment, media.stored))}
    if media.url and not _files(api).is_ours(media.url):
        return {"link": media.url}
    if media.external_id:
        return {"id": media.external_id}
    raise MediaFailed("the bytes lie at the provider and are not stored")


def _upload(api: Api, attachment: Attachment, stored: str) -> Flow[str]:
    """Whatever goes wrong here, the message itself surely did not go out."""
    media = attachment.media
    mime = media.sniffed or media.mime or "application/octet-stream"
    upload = Upload(
        stored=stored,
        field="file",
        filename=media.filename or f"{attachment.kind}.{mime.rpartition('/')[2].partition(';')[0]}",
        mime=mime,
        fields={"messaging_product": "whatsapp", "type": mime},
    )
    call = HttpCall(method="POST", url=api.url(f"{api.account}/media"), upload=upload, auth=TOKEN)
    try:
        info = yield from ask(call, wire.MediaInfo)
    except NoAnswer:
        raise Unavailable("the upload got no answer") from None
    except SendError as error:
        error.certain = True
        raise
    if not info.id:
        raise Unavailable("the upload gave no id")
    return str(info.id)


# --- in -----------------------------------------------------------------------------------------------------------


def fetch(api: Api, media: MediaRef) -> Flow[Fetched]:
    """By the URL of the webhook while it is fresh, else (and once more after a mismatch) by the id."""
    error: SendError = MediaFailed("neither a URL nor an id")
    if media.url:
        try:
            return (yield from _download(api, media, media.url))
        except (MediaFailed, Unavailable) as failed:
            error = failed
    if not media.external_id:
        raise error
    info = yield from _resolve(api, media.external_id)
    if not info.url:
        raise Unavailable("the media id has no URL")
    return (yield from _download(api, media, info.url, info.mime_type, fresh=True))


def _resolve(api: Api, media_id: str) -> Flow[wire.MediaInfo]:
    try:
        return (yield from ask(api.get(f"{media_id}?phone_number_id={api.account}"), wire.MediaInfo))
    except Refused as error:
        raise MediaFailed("the provider no longer has it", provider_code=error.provider_code) from None


def _download(api: Api, media: MediaRef, url: str, mime: str | None = None, *, fresh: bool = False) -> Flow[Fetched]:
    """`fresh`: the URL was given to us a moment ago, so that a 401 is about the token and the bytes are not gone."""
    reply = yield from _files(api).get(url)
    if reply.status in _GONE and not (fresh and reply.status == 401):
        raise MediaFailed(f"status {reply.status}: the URL has expired")
    if reply.status != 200:
        raise send_error(reply)
    stored = header(reply, "x-stored")
    if not stored:
        raise Unavailable("the bytes were not stored")
    if media.sha256 and media.sha256 != stored:
        raise Unavailable("the bytes do not have the digest that the provider named")
    mime = media.mime or mime or header(reply, "content-type") or None
    return Fetched(stored=stored, mime=mime, size=stored_size(reply))


def _files(api: Api) -> Files:
    return Files(api_url=api.graph_url, hosts=OUR_HOSTS, auth=TOKEN, max_bytes=MAX_FETCH_BYTES)
