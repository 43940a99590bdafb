"""What fail2ban would hold against our addresses, had every situation's server one of its own."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.fail2ban import counted
from tests.lab.situations.postfix_services import log_label

_DOVECOT = re.compile(r"\brip=(?P<source>[^,\s]+), lip=(?P<address>[^,\s]+)")
_POSTFIX = re.compile(r" postfix-(?P<label>\w+)/.*\[(?P<source>[0-9a-f.:]+)\]")


@dataclass(frozen=True, slots=True)
class Tally:
    """Lines that count against an address of ours at one server; five of one jail within ten minutes are a ban."""

    situation: str
    source: str
    jail: str
    lines: int


def tallies(
    imap_log: Sequence[str], smtp_log: Sequence[str], addresses: Mapping[str, Iterable[str]], folder: Path
) -> list[Tally]:
    """The tallies of Dovecot's and Postfix's logs, the heaviest first.

    Args:
        addresses: of each situation, by its name.
        folder: for files that are needed meanwhile.
    """
    by_address = {address: name for name, found in addresses.items() for address in found}
    by_label = {log_label(name): name for name in addresses}
    found = Counter[tuple[str, str, str]]()
    for line in counted(imap_log, "dovecot", folder):
        if (match := _DOVECOT.search(line)) and (name := by_address.get(match["address"])):
            found[name, match["source"], "dovecot"] += 1
    for line in counted(smtp_log, "postfix", folder):
        if (match := _POSTFIX.search(line)) and (name := by_label.get(match["label"])):
            found[name, match["source"], "postfix"] += 1
    return [Tally(*key, lines) for key, lines in found.most_common()]
