"""The simulated Postmark against the adapter."""

import pytest

from adapters.mail_postmark.simulator import REPEATS_S, Postmark
from normalizer.envelope import Unsupported
from tests.adapters._mail.worlds import OURS, check_all, ids, read
from tests.adapters.mail_postmark.support import PASSWORD, SUBJECT
from tests.kit.cases import HOOK_URL, NOW


def made(raw: bool = True) -> Postmark:
    return Postmark(addresses=(OURS,), user="post", password=PASSWORD, webhook_url=HOOK_URL, ids=ids(), raw=raw)


@pytest.mark.parametrize("raw", [True, False])
def test_it_is_what_the_adapter_reads(raw: bool) -> None:
    check_all(SUBJECT, lambda: made(raw), list(REPEATS_S), stops=403, whole=raw)


def test_events() -> None:
    postmark = made()
    postmark.event("Bounce", "joe@x.example", NOW, Type="HardBounce")
    (request,) = postmark.posts.due(NOW)
    assert read(SUBJECT, request).body == Unsupported(what="event:Bounce", visible=False)
