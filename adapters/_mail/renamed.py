"""Amazon SES puts a Message-ID of its own in the place of ours
(https://docs.aws.amazon.com/ses/latest/dg/header-fields.html): its answer to our mail tells which, reports bear it.

Rule: such an id has no proof of ours. It holds a random UUID, so only those know it who got the mail.
"""

import re

from normalizer.ids import ExternalId

_HOST = re.compile(r"email-smtp(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com")
_ID = r"[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f-]{20,40}"
_SAID, _WHOLE = re.compile(_ID), re.compile(_ID + r"@[a-z0-9-]{1,40}\.amazonses\.com")


def renames(host: str | None) -> bool:
    """Whether the mails that this server takes get other ids."""
    return _HOST.fullmatch((host or "").lower()) is not None


def new_id(host: str, text: str) -> ExternalId | None:
    """By what the server said when it took the mail."""
    found, id = _HOST.fullmatch(host.lower()), _SAID.search(text)
    return None if found is None or id is None else id_in(found[1], id[0])


def id_in(region: str, id: str) -> ExternalId:
    return ExternalId(f"{id}@{'email' if region == 'us-east-1' else region}.amazonses.com")


def is_renamed(id: str) -> bool:
    return _WHOLE.fullmatch(id) is not None
