"""gateway/transport/smtp.py on the loop that the gateway itself runs on: uvloop's transports are none of asyncio's."""

import ssl

import pytest
import uvloop

from adapters.base import Reply
from gateway.media import MediaStore
from gateway.transport.smtp import Mailer, MailSettings
from tests.gateway.transport.mailserver import MailServer
from tests.gateway.transport.test_smtp import TEXT, encrypting, mail, ours

__all__ = ["ours"]
LARGE = TEXT + b"a line of words\r\n" * 60_000
"""More than any buffer holds at once."""


def handed_over(server: MailServer, security: str, media: MediaStore) -> Reply:
    async def hand_over() -> Reply:
        async with server:
            return await Mailer(MailSettings(), media).send(mail(server.at(security), message=LARGE), {}, None)

    return uvloop.run(hand_over())


@pytest.mark.parametrize("security", ["none", "tls", "starttls"])
def test_a_mail_is_taken(media: MediaStore, ours: ssl.SSLContext, security: str) -> None:
    server = MailServer() if security == "none" else encrypting(security, ours)
    assert handed_over(server, security, media).status == 250
    assert [one.content for one in server.mails] == [LARGE]
