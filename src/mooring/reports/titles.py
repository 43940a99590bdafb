"""What verdicts and their confidence are called. Pure."""

from mooring.diagnosis import Code, Reader

TITLES = {
    Code.NOT_NEEDED: "Static addresses are not needed",
    Code.NEEDED: "Static addresses are needed",
    Code.NEEDED_FOR_SENDING_ONLY: "Static addresses are needed for sending only",
    Code.ALLOWLIST_MISSING: "Our addresses are not allowed yet",
    Code.ALLOWLIST_PARTIAL: "The allowlist is incomplete",
    Code.ALLOWLIST_OUTDATED: "An old list was allowed",
    Code.WRONG_REGION: "Another region's list was allowed",
    Code.FILTER_DISGUISED_AS_WRONG_PASSWORD: "A filter that looks like a wrong password",
    Code.WRONG_HOST: "This is not the mail server",
    Code.WRONG_PORT: "The port is wrong",
    Code.WRONG_TLS_MODE: "TLS begins in another way",
    Code.CERTIFICATE: "The certificate does not verify",
    Code.WRONG_CREDENTIALS: "User name or password is refused",
    Code.BANNED: "We are refused for now",
    Code.REPUTATION: "A block list keeps us out",
    Code.GEOGRAPHIC: "A whole region is kept out",
    Code.INTERNAL_HOST: "The name leads to an address that is not public",
    Code.ADDRESS_FAMILY: "One address family leads nowhere",
    Code.SERVER_DOWN: "The server answers none of our addresses",
    Code.OWN_EXIT_BROKEN: "Our own way out does not work",
    Code.INCONCLUSIVE: "What was seen does not decide it",
}
"""In a line, by what is concluded."""

READERS = {
    Reader.MAIL_ADMINISTRATOR: "For the mail administrator",
    Reader.END_USER: "For the person whose mailbox it is",
    Reader.DEVELOPER: "For the developer",
    Reader.SUPPORT: "For support",
}
"""In the order in which they are told; a report is forwarded to the first."""

_GOOD = frozenset({Code.NOT_NEEDED})
_OPEN = frozenset(
    {
        Code.NEEDED, Code.NEEDED_FOR_SENDING_ONLY, Code.INCONCLUSIVE, Code.OWN_EXIT_BROKEN, Code.SERVER_DOWN,
        Code.ADDRESS_FAMILY, Code.BANNED,
    }
)  # fmt: skip
"""Nothing is wrong with what was asked about, or nobody knows."""

_SURENESS = (
    (0.95, "as good as certain"),
    (0.85, "very likely"),
    (0.7, "likely"),
    (0.5, "more likely than not"),
    (0.0, "a guess"),
)


def title_of(code: Code) -> str:
    """The verdict in a line."""
    return TITLES[code]


def tone_of(code: Code) -> str:
    """``good``, ``bad`` or ``waiting``: never all that tells it."""
    return "good" if code in _GOOD else "waiting" if code in _OPEN else "bad"


def sureness_of(confidence: float) -> str:
    """How sure it is, in words."""
    return next(words for least, words in _SURENESS if confidence >= least)
