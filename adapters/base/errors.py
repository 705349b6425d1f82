"""The error catalogue: what an adapter raises, and what became of a send.

    AdapterError
    ├── Unauthentic           the request is not from the provider                    401
    ├── Malformed             the provider's, but contradicts its own document         kept, 200, listed as dead
    └── SendError             what became of a send: `code`, `retryable`, `certain`
        ├── Throttled         the provider asks us to slow down                        retryable
        ├── Unavailable       the provider is in trouble                               retryable
        ├── NotReached        no connection: it surely did not go out                  retryable
        ├── NoAnswer          it may have gone out                                     retryable, not certain
        ├── CredentialsRefused  token or permission: the whole channel stops
        ├── ChannelBlocked    account locked, unpaid, unregistered: the channel stops
        ├── WindowClosed      only a template may be sent now
        ├── Unreachable       this person can not get this message on this channel
        ├── OptedOut          this person does not want it
        ├── MediaFailed       the provider could not take or give the bytes
        ├── TemplateRefused   unknown, paused or disabled template
        └── Refused           anything else that is wrong with the message

Rule: `certain` says whether we know what happened. Not certain is never simply called again.
Rule: error texts hold facts and codes; never a secret, an address or words of the customer.
"""

from typing import Any, ClassVar, Literal


class AdapterError(Exception):
    """Base of everything that an adapter raises on purpose."""


class Unauthentic(AdapterError):
    """The request does not prove that the provider sent it."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "unauthenticated"
    """All that the caller is told: what exactly did not fit would help only those who forge."""


class Forbidden(Unauthentic):
    """The caller is known, and may not: a foreign Origin, an ended session."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "forbidden"


class Malformed(AdapterError):
    """Authentic, yet not what the provider documents."""


class SendError(AdapterError):
    """What became of a send. `retryable`: the same message may go later. `certain`: we know that it did not go out."""

    code: ClassVar[str] = "send_error"
    retryable: ClassVar[bool] = False

    def __init__(self, text: str = "", *, provider_code: str | None = None, retry_after_s: float | None = None,
                 certain: bool = True) -> None:  # fmt: skip
        super().__init__(text)
        self.text = text
        self.provider_code = provider_code
        self.retry_after_s = retry_after_s
        self.certain = certain


class Throttled(SendError):
    """Slow down; `scope` tells for whom."""

    code = "throttled"
    retryable = True

    def __init__(self, text: str = "", *, scope: Literal["channel", "recipient"] = "channel", **facts: Any) -> None:
        super().__init__(text, **facts)
        self.scope = scope


class Unavailable(SendError):
    code = "unavailable"
    retryable = True


class NotReached(SendError):
    """No connection could be made."""

    code = "not_reached"
    retryable = True


class NoAnswer(SendError):
    """The call went out and no readable answer came back."""

    code = "no_answer"
    retryable = True

    def __init__(self, text: str = "", **facts: Any) -> None:
        super().__init__(text, **{"certain": False, **facts})


class CredentialsRefused(SendError):
    code = "credentials_refused"


class ChannelBlocked(SendError):
    code = "channel_blocked"


class WindowClosed(SendError):
    code = "window_closed"


class Unreachable(SendError):
    code = "unreachable"


class OptedOut(SendError):
    code = "opted_out"


class MediaFailed(SendError):
    code = "media_failed"


class TemplateRefused(SendError):
    code = "template_refused"


class Refused(SendError):
    code = "refused"
