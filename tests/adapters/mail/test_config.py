"""Settings of a mailbox."""

from typing import Any

import msgspec
import pytest

from adapters.base import ChannelSpec, Grant, ImapSource, Login, Server
from adapters.mail.config import APP_ONLY_SCOPE, PRESETS, Config
from normalizer.ids import ChannelId, EndpointId
from tests.adapters.mail.support import CONFIG, KEY

GOOGLE: dict[str, Any] = {
    "addresses": ("Support@shop.example",),
    "token_keys": (KEY,),
    "provider": "google",
    "oauth_client_id": "client",
    "oauth_client_secret": "secret",
    "oauth_refresh_token": "refresh",
}
PLAIN: dict[str, Any] = {
    "addresses": ("a@shop.example",),
    "token_keys": (KEY,),
    "imap_host": "imap.shop.example",
    "imap_password": "p",
    "smtp_host": "smtp.shop.example",
}


def test_the_channel_is_named_by_the_first_address() -> None:
    """Of an endpoint of one channel."""
    assert Config(**GOOGLE).channels(EndpointId("box")) == (ChannelSpec(ChannelId("box"), "support@shop.example"),)
    assert Config().channels(EndpointId("box")) == (ChannelSpec(ChannelId("box"), None),)


def test_a_password() -> None:
    """For IMAP and SMTP each their own."""
    config = Config(**PLAIN, smtp_user="b", smtp_password="q", mailbox="Support", idle_renew_s=60, since_days=1)
    assert config.credentials() == {"imap_password": "p", "smtp_password": "q"}
    assert config.source == ImapSource(
        name="imap/Support",
        server=Server(host="imap.shop.example", port=993, security="tls"),
        login=Login(user="a@shop.example", credential="imap_password"),
        mailbox="Support",
        idle_renew_s=60,
        since_days=1,
    )
    assert config.smtp_login is None


def test_google() -> None:
    """Hosts, addresses and scope follow from the provider; one grant serves both ways."""
    config = Config(**GOOGLE)
    assert config.problems() == []
    url, scope = "https://oauth2.googleapis.com/token", "https://mail.google.com/"
    grant = Grant(token_url=url, client_id="client", client_secret="secret", refresh_token="refresh", scope=scope)
    assert config.credentials() == {"oauth": grant}
    login = Login(user="support@shop.example", credential="oauth", scheme="xoauth2")
    assert config.source is not None
    assert (config.source.server.host, config.source.login, config.smtp_login) == ("imap.gmail.com", login, login)
    full = config.completed()
    assert (full.smtp_host, full.smtp_port, full.authserv_ids) == ("smtp.gmail.com", 465, ("mx.google.com",))


def test_microsoft() -> None:
    """With the mailbox's own consent, or as an application of one directory."""
    shared = {**GOOGLE, "provider": "microsoft", "oauth_tenant": "t1", "imap_user": "u@shop.example"}
    mine = Config(**shared)
    grant = mine.credentials()["oauth"]
    assert isinstance(grant, Grant)
    assert (grant.token_url, grant.scope) == (
        "https://login.microsoftonline.com/t1/oauth2/v2.0/token", PRESETS["microsoft"].scope)  # fmt: skip
    assert (mine.completed().smtp_port, mine.completed().smtp_security) == (587, "starttls")
    app = Config(**{**shared, "oauth_refresh_token": None}).credentials()["oauth"]
    assert isinstance(app, Grant)
    assert (app.refresh_token, app.scope) == (None, APP_ONLY_SCOPE)


def test_what_was_set_is_not_overwritten() -> None:
    """The provider fills empty places only."""
    own = Config(**GOOGLE, imap_host="i.example", smtp_host="s.example", smtp_port=26, smtp_security="none",
                 authserv_ids=("mine",), oauth_token_url="https://t.example", oauth_scope="s").completed()  # fmt: skip
    assert (own.imap_host, own.smtp_host, own.smtp_port, own.smtp_security) == ("i.example", "s.example", 26, "none")
    assert (own.authserv_ids, own.oauth_token_url, own.oauth_scope) == (("mine",), "https://t.example", "s")


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({}, None),
        ({"addresses": ()}, "addresses is missing"),
        ({"addresses": ("shop",)}, "addresses: 'shop' is not an address"),
        ({"token_keys": ()}, "token_keys is missing"),
        ({"token_keys": (KEY, "k" * 31)}, "token_keys[1]: 32 characters or more are needed"),
        ({"token_keys": ("k" * 32,)}, None),
        ({"imap_host": None}, "imap_host is missing (or provider)"),
        ({"smtp_host": None}, "smtp_host is missing (or provider)"),
        ({"imap_password": None}, "imap_password is missing (or oauth_client_id)"),
        ({"silent_s": 100.0}, "silent_s is shorter than poll_s: every quiet mailbox would be reported"),
        ({"silent_s": 120.0}, None),
        ({"oauth_client_id": "c"}, "imap_password and oauth_client_id are two ways to log in: keep one"),
        ({"oauth_refresh_token": "r"}, "oauth_client_id is missing"),
        ({"reply_to": "x"}, "reply_to is not an address"),
    ],
)
def test_problems(change: dict[str, Any], want: str | None) -> None:
    """Each names its key."""
    found = Config(**{**PLAIN, **change}).problems()
    assert want in found if want else not found


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"provider": None, "imap_host": "i", "smtp_host": "s"}, "oauth_token_url is missing (or provider)"),
        ({"oauth_refresh_token": None, "oauth_client_secret": None},
         "oauth_refresh_token is missing (or oauth_client_secret, for the client's own grant)"),
        ({"provider": "microsoft", "oauth_refresh_token": None},
         "oauth_tenant is missing: the client's own grant belongs to one directory"),
    ],
)  # fmt: skip
def test_problems_with_oauth(change: dict[str, Any], want: str) -> None:
    """Each names its key."""
    assert Config(**{**GOOGLE, **change}).problems() == [want]


def test_an_empty_configuration_names_what_is_missing() -> None:
    """All of it at once."""
    assert len(Config().problems()) == 5
    assert Config().source is None
    assert Config().credentials() == {}


def test_a_config_is_read_from_plain_values() -> None:
    """Numbers have their bounds; what is unknown is refused."""
    assert msgspec.convert({"limits": {"max_parts": 5}}, Config).limits.max_parts == 5
    for wrong in ({"idle_renew_s": 1741}, {"poll_s": 0}, {"x": 1}, {"limits": {"max_parts": 0}}, {"limits": {"x": 1}}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Config)


def test_the_config_of_the_other_tests_is_one() -> None:
    """It could start."""
    assert CONFIG.problems() == []
