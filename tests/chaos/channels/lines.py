"""The list of lines, by the name that `--channel` takes."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.channels.line import Open
from tests.chaos.channels.mail import Mail
from tests.chaos.channels.mail_providers import ByMailgun, ByPostmark, BySendGrid, BySes
from tests.chaos.channels.slack import OverHttp, OverSockets
from tests.chaos.channels.sms import Sms
from tests.chaos.channels.sms_http import PlainSms
from tests.chaos.channels.voice import Voice

LINES: Mapping[str, Open] = {
    "sms": Sms,
    "sms_http": PlainSms,
    "mail": Mail,
    "mail_postmark": ByPostmark,
    "mail_sendgrid": BySendGrid,
    "mail_mailgun": ByMailgun,
    "mail_ses": BySes,
    "voice": Voice,
    "slack": OverHttp,
    "slack_socket": OverSockets,
}
