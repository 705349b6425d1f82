"""Settings of a mailbox: the single source for validation, masking and the table in the docs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from adapters._mail import MailLimits
from adapters._mail.sending import PASSWORD, SmtpConfig, looks_like_address
from adapters.base import ChannelSpec, Grant, ImapSource, Login, Secret, Server
from normalizer.ids import ChannelId, EndpointId

IMAP_PASSWORD, OAUTH = "imap_password", "oauth"
"""Names of credentials."""
KEY_MIN_CHARS = 32


class Preset(Struct, frozen=True, kw_only=True):
    """What is the same for all customers of a provider."""

    imap_host: str
    smtp_host: str
    smtp_port: int
    smtp_security: Literal["tls", "starttls"]
    token_url: str
    scope: str
    authserv_ids: tuple[str, ...]


PRESETS: Mapping[str, Preset] = {
    # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
    "google": Preset(
        imap_host="imap.gmail.com",
        smtp_host="smtp.gmail.com",
        smtp_port=465,
        smtp_security="tls",
        token_url="https://oauth2.googleapis.com/token",
        scope="https://mail.google.com/",
        authserv_ids=("mx.google.com",),
    ),
    # https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
    "microsoft": Preset(
        imap_host="outlook.office365.com",
        smtp_host="smtp.office365.com",
        smtp_port=587,
        smtp_security="starttls",
        token_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        scope="https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access",
        authserv_ids=("-",),
    ),
}
APP_ONLY_SCOPE = "https://outlook.office365.com/.default"
"""Microsoft: for the client's own grant, without a refresh token."""


class Config(SmtpConfig, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One mailbox, read over IMAP and written from over SMTP."""

    addresses: Annotated[
        tuple[str, ...],
        Meta(description="All addresses whose mail comes into this mailbox. The first one is who writes."),
    ] = ()
    token_keys: Annotated[
        tuple[Secret, ...],
        Meta(
            description="Sign the names of threads, 32 characters or more each; several while one is being replaced,"
            " the newest first."
        ),
    ] = ()
    authserv_ids: Annotated[
        tuple[str, ...],
        Meta(
            description="The name that your own mail server writes into `Authentication-Results`; `-` for a server that"
            " writes none (Microsoft 365). Unset: the provider's. Without it every sender is merely `claimed`."
        ),
    ] = ()
    provider: Annotated[
        Literal["google", "microsoft"] | None,
        Meta(description="Fills in hosts, ports and OAuth addresses of Gmail or Microsoft 365."),
    ] = None
    imap_host: Annotated[str | None, Meta(description="Server that holds the mailbox.")] = None
    imap_port: Annotated[int, Meta(ge=1, le=65535, description="Its port; 143 with `starttls`.")] = 993
    imap_security: Annotated[
        Literal["tls", "starttls", "none"], Meta(description="`none` only on this machine or a wire of your own.")
    ] = "tls"
    imap_user: Annotated[str | None, Meta(description="Who logs in there. Unset: the first of `addresses`.")] = None
    imap_password: Annotated[Secret | None, Meta(description="The password; or use the `oauth_...` settings.")] = None
    mailbox: Annotated[str, Meta(min_length=1, description="The folder that is read.")] = "INBOX"
    oauth_client_id: Annotated[str | None, Meta(description="OAuth 2.0 instead of passwords, for IMAP and SMTP.")] = (
        None
    )
    oauth_client_secret: Annotated[Secret | None, Meta(description="Of that client.")] = None
    oauth_refresh_token: Annotated[
        Secret | None, Meta(description="What the mailbox's owner consented to. Unset: the client's own grant.")
    ] = None
    oauth_token_url: Annotated[str | None, Meta(description="Where access tokens are got. Unset: the provider's.")] = (
        None
    )
    oauth_scope: Annotated[str | None, Meta(description="Scopes, with blanks between. Unset: the provider's.")] = None
    oauth_tenant: Annotated[str, Meta(min_length=1, description="Microsoft's directory (tenant) id.")] = "common"
    idle_renew_s: Annotated[
        float, Meta(ge=10, le=1740, description="IDLE is begun anew so often; servers end it after 30 minutes.")
    ] = 540.0
    poll_s: Annotated[float, Meta(ge=1, description="The mailbox is looked at so often, whatever IDLE says.")] = 120.0
    silent_s: Annotated[
        float, Meta(ge=10, description="Without a sign of life for so long it is reconnected, and reported.")
    ] = 300.0
    since_days: Annotated[int, Meta(ge=0, description="How far back a mailbox is read that was never read before.")] = 7
    automatic_per_hour: Annotated[
        int, Meta(ge=1, description="Automatic answers to one address in an hour; then people take over.")
    ] = 5
    limits: Annotated[MailLimits, Meta(description="How much of one mail is read.")] = MailLimits()

    # --- the contract of a config ---------------------------------------------------------------------------------

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        return (ChannelSpec(ChannelId(endpoint_id), self.account),)

    def credentials(self) -> Mapping[str, str | Grant]:
        passwords = {IMAP_PASSWORD: self.imap_password, PASSWORD: self.smtp_password}
        found: dict[str, str | Grant] = {name: value for name, value in passwords.items() if value}
        grant = self._grant()
        return {**found, OAUTH: grant} if grant is not None else found

    def problems(self) -> Sequence[str]:
        full = self.completed()
        return [*_missing(full), *_wrong(full), *_login_problems(full), *full.smtp_problems()]

    # --- what follows from it -------------------------------------------------------------------------------------

    @property
    def account(self) -> str | None:
        return self.addresses[0].lower() if self.addresses else None

    @property
    def source(self) -> ImapSource | None:
        full = self.completed()
        login = full.login(IMAP_PASSWORD)
        if full.imap_host is None or login is None:
            return None
        return ImapSource(
            name=f"imap/{full.mailbox}",
            server=Server(host=full.imap_host, port=full.imap_port, security=full.imap_security),
            login=login,
            mailbox=full.mailbox,
            idle_renew_s=full.idle_renew_s,
            poll_s=full.poll_s,
            silent_s=full.silent_s,
            since_days=full.since_days,
            max_message_bytes=full.limits.max_bytes,
        )

    def login(self, credential: str) -> Login | None:
        """By OAuth where that is set up; else by password. None: nobody can log in."""
        user = self.imap_user or self.account
        if user is None:
            return None
        if self.oauth_client_id is not None:
            return Login(user=user, credential=OAUTH, scheme="xoauth2")
        return Login(user=user, credential=credential) if self.imap_password else None

    @property
    def smtp_login(self) -> Login | None:
        """None: by `smtp_user` and `smtp_password`."""
        return self.login(OAUTH) if self.oauth_client_id is not None and self.smtp_user is None else None

    def completed(self) -> "Config":
        """With the provider's values in the places that were left empty."""
        preset = PRESETS.get(self.provider or "")
        if preset is None:
            return self
        smtp: dict[str, Any] = {}
        if self.smtp_host is None:
            smtp = {"smtp_host": preset.smtp_host, "smtp_port": preset.smtp_port, "smtp_security": preset.smtp_security}
        scope = preset.scope if self.oauth_refresh_token or self.provider != "microsoft" else APP_ONLY_SCOPE
        return replace(
            self,
            imap_host=self.imap_host or preset.imap_host,
            authserv_ids=self.authserv_ids or preset.authserv_ids,
            oauth_token_url=self.oauth_token_url or preset.token_url.format(tenant=self.oauth_tenant),
            oauth_scope=self.oauth_scope or scope,
            **smtp,
        )

    def _grant(self) -> Grant | None:
        full = self.completed()
        if not (full.oauth_client_id and full.oauth_token_url):
            return None
        return Grant(
            token_url=full.oauth_token_url,
            client_id=full.oauth_client_id,
            client_secret=full.oauth_client_secret or "",
            refresh_token=full.oauth_refresh_token,
            scope=full.oauth_scope or "",
        )


# --- problems -----------------------------------------------------------------------------------------------------


def _missing(config: Config) -> Iterator[str]:
    for key in ("addresses", "token_keys"):
        if not getattr(config, key):
            yield f"{key} is missing"
    if config.imap_host is None:
        yield "imap_host is missing (or provider)"
    if config.smtp_host is None:
        yield "smtp_host is missing (or provider)"


def _wrong(config: Config) -> Iterator[str]:
    for address in config.addresses:
        if not looks_like_address(address):
            yield f"addresses: {address!r} is not an address"
    for place, key in enumerate(config.token_keys):
        if len(key) < KEY_MIN_CHARS:
            yield f"token_keys[{place}]: {KEY_MIN_CHARS} characters or more are needed"
    if config.silent_s < config.poll_s:
        yield "silent_s is shorter than poll_s: every quiet mailbox would be reported"


def _login_problems(config: Config) -> Iterator[str]:
    if config.oauth_client_id is None:
        if config.imap_password is None:
            yield "imap_password is missing (or oauth_client_id)"
        if config.oauth_refresh_token or config.oauth_client_secret:
            yield "oauth_client_id is missing"
        return
    if config.imap_password is not None:
        yield "imap_password and oauth_client_id are two ways to log in: keep one"
    if config.oauth_token_url is None:
        yield "oauth_token_url is missing (or provider)"
    if config.oauth_refresh_token is None and config.oauth_client_secret is None:
        yield "oauth_refresh_token is missing (or oauth_client_secret, for the client's own grant)"
    if config.oauth_refresh_token is None and config.provider == "microsoft" and config.oauth_tenant == "common":
        yield "oauth_tenant is missing: the client's own grant belongs to one directory"
