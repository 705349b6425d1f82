"""Floor 1: bytes <-> envelopes. One folder per (provider, channel); adapters never import each other or the router."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.base import Registration


class _Adapters(Mapping[str, "Registration"]):
    """Imports an adapter when it is asked for: who runs one channel does not load six."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    def __getitem__(self, type: str) -> "Registration":
        registration: Registration = import_module(self._modules[type]).REGISTRATION
        return registration

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


REGISTRY: Mapping[str, "Registration"] = _Adapters(
    {
        "mail": "adapters.mail",
        "mail_mailgun": "adapters.mail_mailgun",
        "mail_postmark": "adapters.mail_postmark",
        "mail_sendgrid": "adapters.mail_sendgrid",
        "mail_ses": "adapters.mail_ses",
        "slack": "adapters.slack",
        "sms_http": "adapters.sms_http",
        "twilio_messaging": "adapters.twilio_messaging",
        "twilio_voice": "adapters.twilio_voice",
        "webchat": "adapters.webchat",
        "whatsapp": "adapters.whatsapp",
    }
)
"""The only list of adapters: from a channel type to the module whose `REGISTRATION` it is."""
