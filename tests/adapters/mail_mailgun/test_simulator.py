"""The simulated Mailgun against the adapter."""

import pytest

from adapters.mail_mailgun.simulator import Mailgun
from normalizer.envelope import Unsupported
from tests.adapters._mail.worlds import OURS, check_all, ids, read
from tests.adapters.mail_mailgun.support import SIGNING_KEY, SUBJECT
from tests.kit.cases import HOOK_URL, NOW


def made(mime: bool = True) -> Mailgun:
    return Mailgun(addresses=(OURS,), signing_key=SIGNING_KEY, webhook_url=HOOK_URL, ids=ids(), mime=mime)


@pytest.mark.parametrize("mime", [True, False])
def test_it_is_what_the_adapter_reads(mime: bool) -> None:
    check_all(SUBJECT, lambda: made(mime), [300.0, 600.0, 900.0, 3600.0, 7200.0, 14400.0], stops=406, whole=mime)


def test_events() -> None:
    mailgun = made()
    mailgun.event("delivered", "joe@x.example", "1@shop.example", NOW)
    (request,) = mailgun.posts.due(NOW)
    assert read(SUBJECT, request).body == Unsupported(what="event:delivered", visible=False)
