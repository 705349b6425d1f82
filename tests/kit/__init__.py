"""The contract of an adapter as tests that any adapter can run, also one outside of this repository.

Give a `Subject` (the adapter, and how its provider signs), tables of `InboundCase` and `OutboundCase`, and call the
`check_...` functions from your tests. They are plain functions with plain asserts, and check what nobody asks for:

    check_inbound       the envelopes are those; the same ids come out a second time and after a redelivery; each keeps
                        a slice of what came; no secret is in them
    check_round_trip    what the simulator tells is what the adapter reads
    check_refused       junk never verifies, and the refusal says no secret
    check_outbound      the calls are those; no reply is left over; no secret is in a call or an error
    check_failures      429, 5xx, 4xx, silence and nonsense land in the right class
    check_forged        none of at least 30 ways to almost sign is a signature (`forged_header`, `forged_body` make the
                        usual ones, an adapter adds its own)
    check_survives      whatever arrives, parse returns or raises Malformed, in bounded time
    check_parsed        `throughline parse` says the same of an InboundCase
    check_rendered      `throughline render` says the same of an OutboundCase
    mutations           for hypothesis: a payload with a key dropped, nulled or of another type
    form_mutations      the same for the fields of a form

A case is a POST unless it says otherwise: `method`, `path`, `query`, `headers` (beside the signature), `origin` and
`public_url` make it a GET, a form (`form_case`), a mail that was dialled for or an item that was pulled. What is the
same for all raws of a subject stands in `Subject.facts`.

Rule: the tables are typed from the provider's documents, never produced by its simulator.
"""

from tests.kit.bench import check_parsed, check_rendered
from tests.kit.cases import FORM, HOOK_URL, InboundCase, OutboundCase, Subject, form, form_case, given_reply
from tests.kit.contract import (
    as_raw,
    check_failures,
    check_inbound,
    check_outbound,
    check_refused,
    check_round_trip,
    check_survives,
    shown,
)
from tests.kit.flow import Driven, drive, drive_steps
from tests.kit.forge import check_forged, forged_body, forged_header
from tests.kit.mutate import form_mutations, mutations
from tests.kit.pace import is_quick

__all__ = [
    "FORM",
    "HOOK_URL",
    "Driven",
    "InboundCase",
    "OutboundCase",
    "Subject",
    "as_raw",
    "check_failures",
    "check_forged",
    "check_inbound",
    "check_outbound",
    "check_parsed",
    "check_refused",
    "check_rendered",
    "check_round_trip",
    "check_survives",
    "drive",
    "drive_steps",
    "forged_body",
    "forged_header",
    "form",
    "form_case",
    "form_mutations",
    "given_reply",
    "is_quick",
    "mutations",
    "shown",
]
