"""Files that lie at Twilio: media of messages, recordings of calls. Their URL leads to its storage.

Rule: credentials go to the configured API and to Twilio's own hosts, and nowhere else: redirects are followed without
them. What refuses them is asked once more without: they are only needed where an account enforces them.
See https://www.twilio.com/docs/messaging/api/media-resource
"""

from adapters._files import Files, stored_size
from adapters._http import header
from adapters._twilio import Api, send_error
from adapters.base import Fetched, Flow, MediaFailed, Reply, Unavailable
from normalizer.envelope import MediaRef

MAX_FETCH_BYTES = 100_000_000
OUR_HOSTS = (".twilio.com",)
_GONE = frozenset({404, 410})


def fetch(api: Api, media: MediaRef) -> Flow[Fetched]:
    if not media.url:
        raise MediaFailed("without a URL")
    reply = yield from get(api, media.url)
    if reply.status in _GONE:
        raise MediaFailed(f"status {reply.status}: the provider no longer has it")
    if reply.status != 200:
        raise send_error(reply, {})
    stored = header(reply, "x-stored")
    if not stored:
        raise Unavailable("the bytes were not stored")
    mime = media.mime or header(reply, "content-type") or None
    return Fetched(stored=stored, mime=mime, size=stored_size(reply))


def get(api: Api, url: str) -> Flow[Reply]:
    files = Files(api_url=api.api_url, hosts=OUR_HOSTS, auth=api.auth, max_bytes=MAX_FETCH_BYTES)
    reply: Reply = yield files.call(url)
    if reply.status in (401, 403) and files.is_ours(url):
        reply = yield files.call(url, trusted=False)
    return (yield from files.redirected(reply, url))
