"""The account that an endpoint at Twilio belongs to: the settings that all of them have, and the check of them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from adapters._http import url_problem
from adapters._twilio import Api, ask, basic
from adapters.base import Flow, Health, Secret, SendError


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of every endpoint at Twilio; a channel's `Config` extends them."""

    account_sid: Annotated[str | None, Meta(description="The account, `AC...`.")] = None
    auth_tokens: Annotated[
        tuple[Secret, ...], Meta(description="Auth tokens: several while one is replaced, the one in use first.")
    ] = ()
    api_key_sid: Annotated[str | None, Meta(description="API key for calls, `SK...`; without: the auth token.")] = None
    api_key_secret: Annotated[Secret | None, Meta(description="The secret of the API key.")] = None
    public_url: Annotated[
        str | None, Meta(description="Where Twilio calls, if that is not the gateway's own: a host, or the whole hook.")
    ] = None
    api_url: Annotated[str, Meta(description="Address of the REST API.")] = "https://api.twilio.com"

    def credentials(self) -> Mapping[str, str]:
        given = {"auth_token": next(iter(self.auth_tokens), None), "api_key_secret": self.api_key_secret}
        return {name: secret for name, secret in given.items() if secret}

    def problems(self) -> Sequence[str]:
        found = [f"{key} is missing" for key in ("account_sid", "auth_tokens") if not getattr(self, key)]
        if bool(self.api_key_sid) != bool(self.api_key_secret):
            found.append("api_key_sid and api_key_secret go together")
        if self.public_url is not None:
            found.extend(url_problem("public_url", self.public_url))
        return [*found, *url_problem("api_url", self.api_url)]

    def api(self) -> Api:
        sid = self.account_sid or ""
        return Api(account_sid=sid, api_url=self.api_url, auth=basic(sid, self.api_key_sid))


class _AccountInfo(Struct, frozen=True):
    status: str | None = None


def probe(api: Api) -> Flow[Health]:
    """Asks for the account itself: its id and the credentials are right if it answers."""
    try:
        account = yield from ask(api.get(api.url(".json")), _AccountInfo, {})
    except SendError as error:
        return Health(ok=False, detail=f"{error.code}: {error.text}")
    return Health(ok=account.status == "active", detail=f"account {api.account_sid} is {account.status or 'unknown'}")
