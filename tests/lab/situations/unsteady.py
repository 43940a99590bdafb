"""Many servers of the same kind at once, for statistics: half of them flap, and half lose one SYN in twenty."""

from tests.lab.situations.rules import How, Rule
from tests.lab.situations.types import IMAP, Situation


def unsteady(count: int = 50, *, flaps_s: float = 3.0, lost_percent: int = 5) -> tuple[Situation, ...]:
    """Situations for ``Situations``, of which none needs static addresses.

    Args:
        count: at most 200.
        flaps_s: of half of them, the mean length of being up, and of being down.
        lost_percent: of the SYNs to the other half.
    """
    return tuple(
        Situation(
            f"flaps-{number}",
            "A server that comes and goes.",
            expected=("not_needed", "inconclusive", "server_down"),
            sees={},
            asks=(IMAP,),
            flaps_s=flaps_s,
        )
        if number % 2
        else Situation(
            f"loses-{number}",
            "A line that loses SYNs.",
            expected=("not_needed",),
            sees={},
            asks=(IMAP,),
            rules=(Rule(How.DROP, packets=lost_percent),),
        )
        for number in range(count)
    )
