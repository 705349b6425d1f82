"""The configuration of `throughline demo`: complete without a file, the same secrets at every start.

Rule: every secret is derived from the key in the data folder; nothing has to be typed, and nothing is shipped.
Rule: variables that say where a real gateway keeps its data are not for the demo: it has its own place.
"""

import errno
import socket
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.commands import Failed
from gateway.commands.start import KEY_FILE, write_key
from gateway.config import build
from gateway.security import subkey
from gateway.settings import Config

PHONE_ENDPOINT = "whatsapp"
SITE_ENDPOINT = "site"
TEXT_ENDPOINT = "sms"
CHAT_ENDPOINT = "slack"
CALL_ENDPOINT = "voice"
MAIL_ENDPOINT = "mail"
TEXT_NUMBER = "+442079460145"
CALL_NUMBER, COLLEAGUE_NUMBER = "+442079460152", "+442079460199"
MAIL_ADDRESS, MAIL_SERVER = "help@larkridge.example", "mx.larkridge.example"
PROVIDER_PATH = "/sandbox/provider"
PULL_S = 20
LOOPBACK = "127.0.0.1"
PHONE_NUMBER_ID = "106540352242922"
GRAPH_PATH = "/sandbox/graph"
PORTS_TRIED = 50
"""From the wished one upwards."""
TAKEN = {errno.EADDRINUSE, errno.EACCES}
EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104  because these are compared with, not listened on
SECTIONS = ("AI", "LOG", "MEDIA", "POLICY", "ROOMS", "TRANSPORT")
"""Whose variables the demo obeys."""


def demo_config(data_dir: Path, *, host: str, port: int, environ: Mapping[str, str]) -> Config:
    """Makes the folder and its key where they are missing. Raises Failed when no port is free."""
    folder = data_dir.expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    write_key(folder / KEY_FILE)
    key = (folder / KEY_FILE).read_text(encoding="utf-8").strip()
    base = base_url(host, free_port(host, port))
    said = {name: value for name, value in environ.items() if name.startswith(tuple(map(_prefix, SECTIONS)))}
    others = {name: value for name, value in environ.items() if not name.startswith("THROUGHLINE_")}
    return build(_tree(key, folder, host, base), folder, {**others, **said})


def _prefix(section: str) -> str:
    return f"THROUGHLINE_{section}__"


def _tree(key: str, folder: Path, host: str, base: str) -> dict[str, Any]:
    return {
        "key": key,
        "server": {"host": host, "port": urlsplit(base).port or 80, "public_url": base, "drain_timeout_ms": 5_000},
        "store": {"data_dir": str(folder)},
        "log": {"level": "warning"},
        "endpoints": {
            PHONE_ENDPOINT: {
                "type": "whatsapp",
                "phone_number_id": PHONE_NUMBER_ID,
                "access_token": _secret(key, "access token"),
                "app_secrets": [_secret(key, "app secret")],
                "verify_token": _secret(key, "verify token"),
                "graph_url": f"{base}{GRAPH_PATH}/v24.0",
            },
            TEXT_ENDPOINT: _texts(key, base),
            CHAT_ENDPOINT: {
                "type": "slack",
                "team_id": "T024BE7LD",
                "bot_token": f"xoxb-{_secret(key, 'chat token')}",
                "signing_secrets": [_secret(key, "chat signatures")],
                "api_url": f"{base}{PROVIDER_PATH}/{CHAT_ENDPOINT}/api",
            },
            CALL_ENDPOINT: {
                "type": "twilio_voice",
                "account_sid": _account(key),
                "auth_tokens": [_secret(key, "telephony token")],
                "number": CALL_NUMBER,
                "human_number": COLLEAGUE_NUMBER,
                "call_out": "agents",
                "api_url": f"{base}{PROVIDER_PATH}/{CALL_ENDPOINT}",
            },
            **_mail(key),
            SITE_ENDPOINT: {
                "type": "webchat",
                "secret": _secret(key, "web chat"),
                "allowed_origins": origins(base),
                "title": "Larkridge Outfitters",
                "greeting": "Hello! Ask us about returns, shipping, sizes or your order.",
                "colour": "#1f6f54",
            },
        },
    }


def _texts(key: str, base: str) -> dict[str, Any]:
    provider = f"{base}{PROVIDER_PATH}/{TEXT_ENDPOINT}"
    return {
        "type": "twilio_messaging",
        "account_sid": _account(key),
        "auth_tokens": [_secret(key, "telephony token")],
        "senders": {"sms": TEXT_NUMBER, "whatsapp_too": f"whatsapp:{TEXT_NUMBER}"},
        "api_url": provider,
        "content_url": provider,
        "messaging_url": provider,
        "pull_every_s": PULL_S,
    }


def _mail(key: str) -> dict[str, Any]:
    """None without a server for it: that is an extra of the package."""
    if find_spec("aiosmtpd") is None:
        return {}
    loopback: dict[str, Any] = {"host": LOOPBACK, "security": "none"}
    return {
        MAIL_ENDPOINT: {
            "type": "mail",
            "addresses": [MAIL_ADDRESS],
            "token_keys": [_secret(key, "mail threads")],
            "authserv_ids": [MAIL_SERVER],
            "from_name": "Larkridge Outfitters",
            "imap_password": _secret(key, "imap"),
            "smtp_user": MAIL_ADDRESS,
            "smtp_password": _secret(key, "smtp"),
            **{f"imap_{name}": value for name, value in {**loopback, "port": free_port(LOOPBACK, 0)}.items()},
            **{f"smtp_{name}": value for name, value in {**loopback, "port": free_port(LOOPBACK, 0)}.items()},
        }
    }


def _account(key: str) -> str:
    return f"AC{_secret(key, 'telephony account')[:32]}"


def _secret(key: str, purpose: str) -> str:
    return subkey(key, f"sandbox {purpose}").hex()


def base_url(host: str, port: int) -> str:
    """How this machine itself reaches it, written as a browser writes an origin."""
    name = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host.lower()
    return f"http://{name}" if port == 80 else f"http://{name}:{port}"


def origins(base: str) -> list[str]:
    """The page may also be opened by the machine's other names."""
    parts = urlsplit(base)
    port = f":{parts.port}" if parts.port else ""
    return list(dict.fromkeys([base, f"http://127.0.0.1{port}", f"http://localhost{port}"]))


def free_port(host: str, wished: int) -> int:
    """The wished one (0: any), or one of the next. Raises Failed, or OSError for an address that is none of ours."""
    for port in range(wished, min(wished + PORTS_TRIED, 65_536)):
        found = _bound(host, port)
        if found is not None:
            return found
    raise Failed(f"no port between {wished} and {min(wished + PORTS_TRIED, 65_536) - 1} is free; name one with --port")


def _bound(host: str, port: int) -> int | None:
    family, kind, proto, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM,
                                                         flags=socket.AI_PASSIVE)[0]  # fmt: skip
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            # Somebody who listens with SO_REUSEADDR, too, lets us bind, and refuses only this.
            probe.listen(1)
        except OSError as error:
            if error.errno in TAKEN:
                return None
            raise
        return int(probe.getsockname()[1])
