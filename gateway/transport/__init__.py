"""The only outbound IO for adapters (HTTP, mail, live push): limits, time limits, credentials put in place, redaction.

http.py     runs a flow: its calls, their failures
wire.py     headers, credentials and bodies, in and out
smtp.py     mails: the dialogue with their server
letter.py   mails: the bytes that it gets
guard.py    URLs that others supplied must not lead into private networks
limits.py   how fast, and when again: decisions only
redact.py   what logs may say
"""

from gateway.transport.guard import GuardSettings
from gateway.transport.http import Push, Transport, TransportSettings
from gateway.transport.limits import RateLimiter, RateSettings, RetryPolicy, next_attempt
from gateway.transport.redact import SeenCall, redact
from gateway.transport.wire import outgoing_headers

__all__ = [
    "GuardSettings",
    "Push",
    "RateLimiter",
    "RateSettings",
    "RetryPolicy",
    "SeenCall",
    "Transport",
    "TransportSettings",
    "next_attempt",
    "outgoing_headers",
    "redact",
]
