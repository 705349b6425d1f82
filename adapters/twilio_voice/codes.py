"""What the API's refusals mean for a call. Its numbers, in our words.

See https://www.twilio.com/docs/api/errors
"""

from adapters._twilio import Codes, Meaning
from adapters.base import (
    ChannelBlocked,
    CredentialsRefused,
    MediaFailed,
    OptedOut,
    Refused,
    Throttled,
    Unreachable,
)

CODES: Codes = {
    10001: Meaning(ChannelBlocked, "the account is not active"),
    10002: Meaning(CredentialsRefused, "a trial account can not do this"),
    10003: Meaning(ChannelBlocked, "incoming calls of the account are refused"),
    10004: Meaning(Throttled, "as many calls at once as the account may have", 10.0),
    11200: Meaning(MediaFailed, "the provider could not fetch a file"),
    13214: Meaning(ChannelBlocked, "our number is no caller id that this account may use"),
    13223: Meaning(Unreachable, "that is no phone number"),
    13224: Meaning(Unreachable, "that phone number can not be called"),
    13225: Meaning(Unreachable, "that phone number is blocked at the provider"),
    13226: Meaning(Unreachable, "that country can not be called"),
    13227: Meaning(ChannelBlocked, "calls to that country are not enabled for the account"),
    21201: Meaning(Unreachable, "nobody to call was given"),
    21202: Meaning(Unreachable, "that number can not be called"),
    21203: Meaning(ChannelBlocked, "calls abroad are not enabled for the account"),
    21205: Meaning(Refused, "the URL for the call is not valid"),
    21210: Meaning(ChannelBlocked, "our number is not verified for this account"),
    21211: Meaning(Unreachable, "that is no phone number"),
    21212: Meaning(ChannelBlocked, "our number is not valid as a caller"),
    21213: Meaning(ChannelBlocked, "our number is missing"),
    21214: Meaning(Unreachable, "that number can not be reached"),
    21215: Meaning(ChannelBlocked, "the account may not call that country"),
    21216: Meaning(Unreachable, "the account may not call that number"),
    21217: Meaning(Unreachable, "that is no phone number"),
    21218: Meaning(Refused, "the application for the call is not known"),
    21219: Meaning(Unreachable, "a trial account calls verified numbers only"),
    21220: Meaning(Unreachable, "the call is over"),
    21221: Meaning(Unreachable, "the call is over"),
    21262: Meaning(Refused, "the text for the call is too long"),
    21610: Meaning(OptedOut, "this person does not want to be contacted"),
    32205: Meaning(ChannelBlocked, "calls to that number are not enabled for the account"),
    32206: Meaning(Unreachable, "the number is on a block list"),
}
