"""Who wrote, who is answered, to which thread it belongs, and who else takes part.

Rule: a conversation belongs to the address that an answer goes to, and to nobody who merely quotes an id. A token or a
Message-ID of ours names a thread only when its proof fits; where it does, it still names no person.
Rule: an answer goes to Reply-To where there is one. That is an address somebody typed, so its evidence is `claimed`,
however well the From is proven: else a stranger's later mail could be drawn into the conversation of who named him.
Rule: people in Cc read along; the conversation stays the writer's. A mail that is addressed (To) to other outside
people as much as to us is a group's: the same people are the same group. One in which we are only in Cc is observed.
"""

from collections.abc import Sequence

from msgspec import Struct

from adapters._mail.addresses import plus_part, without_plus
from adapters._mail.model import Mail, Mailbox, MailContext
from adapters._mail.tokens import check_token, thread_named_by, thread_of
from adapters._mail.trust import is_aligned
from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, Evidence, Party

GROUP_MAX = 20
"""People of a group; a mail to more of them is a circular, and its writer's."""


class Writer(Struct, frozen=True):
    party: Party
    group: Address | None = None
    observed: bool = False


def address_of(address: str) -> Address:
    return Address(Scheme.MAILTO, address)


def is_ours(address: str, context: MailContext) -> bool:
    return without_plus(address) in context.addresses


def wrote_ourselves(mail: Mail, context: MailContext) -> bool:
    """From us, and no form or list that wrote for somebody else."""
    ours = bool(mail.from_) and all(is_ours(box.address, context) for box in mail.from_)
    return ours and answered(mail, context) is None


def answered(mail: Mail, context: MailContext) -> Mailbox | None:
    """The mailbox that an answer goes to. None: nobody but ourselves."""
    from_ = next((box for box in mail.from_ if not is_ours(box.address, context)), None)
    for box in mail.reply_to:
        if not is_ours(box.address, context) and box.address.lower() != (mail.list_address or ""):
            name = box.name or (from_.name if from_ else None)
            return Mailbox(box.address, name)
    if from_ is not None:
        return from_
    for other in (mail.rewritten_from, None if mail.from_ else mail.sender):
        if other is not None and not is_ours(other.address, context):
            return other
    return Mailbox(mail.return_path) if not mail.from_ and mail.return_path else None


def evidence_for(mail: Mail, address: str, context: MailContext) -> Evidence:
    """`channel` when our own server says that the domain of the From stands behind it."""
    if len(mail.from_) != 1 or mail.from_[0].address.lower() != address.lower():
        return Evidence.CLAIMED
    aligned = is_aligned(mail, context.authserv_ids) if context.aligned is None else context.aligned
    return Evidence.CHANNEL if aligned else Evidence.CLAIMED


def writer(mail: Mail, context: MailContext) -> Writer:
    box = answered(mail, context)
    if box is None:
        return Writer(Party())
    claim = AddressClaim(address_of(box.address), evidence_for(mail, box.address, context))
    party = Party(claims=(claim,), name=box.name)
    if mail.kind != "message":
        return Writer(party)
    others = _outside(mail.to, box, context)
    in_to, in_cc = (any(is_ours(b.address, context) for b in boxes) for boxes in (mail.to, mail.cc))
    people = sorted({box.address.lower(), *others, *_outside(mail.cc, box, context)})
    if not others or len(people) > GROUP_MAX or not (in_to or in_cc):
        # We are named nowhere: an alias of ours that we do not know, or a blind copy.
        return Writer(party)
    return Writer(party, Address(Scheme.MAILTO, ",".join(people)), observed=not in_to)


def _outside(boxes: Sequence[Mailbox], writer: Mailbox, context: MailContext) -> list[str]:
    """Not those of our own domains: other mailboxes of the house, most likely."""
    found = [box.address.lower() for box in boxes if not is_of_our_domain(box.address, context)]
    return [address for address in found if address != writer.address.lower()]


def is_of_our_domain(text: str, context: MailContext) -> bool:
    return text.rpartition("@")[2].lower() in {address.rpartition("@")[2] for address in context.addresses}


# --- threads ------------------------------------------------------------------------------------------------------


def thread(mail: Mail, context: MailContext) -> str:
    """What the proof says, else the first message of the chain that is not said to be ours."""
    own = proven_thread(mail, context)
    if own is not None:
        return own
    chain = [*mail.references, *mail.in_reply_to]
    root = next((id for id in chain if not is_of_our_domain(id, context)), None)
    return thread_of(root or mail.message_id or context.arrival or context.row)


def proven_thread(mail: Mail, context: MailContext) -> str | None:
    reached = [*context.recipients, *mail.delivered_to, *(box.address for box in (*mail.to, *mail.cc))]
    for address in reached:
        tag = plus_part(address)
        if tag and (found := check_token(tag, context.token_keys)):
            return found
    for id in (*mail.in_reply_to, *reversed(mail.references)):
        if found := thread_named_by(id, context.token_keys):
            return found
    return None
