"""An adapter's settings as the tests of the configuration know them, and the least that a configuration needs."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters.base import ChannelSpec, Registration, Secret
from normalizer.ids import ChannelId, EndpointId

KEY = "k" * 43


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    channel: Annotated[str, Meta(description="Its name.")]
    number: Annotated[str, Meta(description="Its number.")]


class PostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: Annotated[Secret, Meta(description="A secret.")]
    spare_tokens: Annotated[tuple[Secret, ...], Meta(description="More of them.")] = ()
    lines: Annotated[tuple[Line, ...], Meta(description="Several channels.")] = ()
    site: Annotated[str | None, Meta(description="Asked for by `problems`.")] = None
    size: Annotated[int, Meta(ge=1, description="A number.")] = 3

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        lines = tuple(ChannelSpec(ChannelId(line.channel), line.number) for line in self.lines)
        return lines or (ChannelSpec(ChannelId(endpoint_id), self.site),)

    def credentials(self) -> Mapping[str, str]:
        return {"token": self.token}

    def problems(self) -> Sequence[str]:
        return [] if self.site else ["site: name the site"]


def _build(_id: EndpointId, _config: Any) -> Any:
    raise AssertionError("reading a configuration builds no adapter")


REGISTRY: Mapping[str, Registration] = {
    "post": Registration(type="post", config=PostSettings, build=_build),
}
