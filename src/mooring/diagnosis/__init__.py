"""Does this mail server need static addresses, and how do we know: evidence, and the verdict that follows from it.

    types · progress · interfaces   the words, and what is needed of the world
    runner                          how a diagnosis goes, round by round
    probes                          the effects: names, probes, controls of our own exits
    verdict                         pure: what comes next, what follows, how sure, in which words
    gentle                          one budget for all who ask
    asking                          who asks, who carries it out, how it is followed
    passive                         a verdict from what happened anyway
    watches                         a server is looked at until it opens, and after
    picture                         sources by stages, to be looked at

Start at ``types.py`` for the words, then ``runner.py``; the table that a person can read is ``verdict/table.py``.
"""

from mooring.diagnosis.asking.carrying import Carrying, Means
from mooring.diagnosis.asking.detecting import detecting
from mooring.diagnosis.asking.exits import exits_for, scopes_of, vantage_of
from mooring.diagnosis.asking.following import Followers
from mooring.diagnosis.asking.guessing import guessing
from mooring.diagnosis.asking.memory import LedgerMemory
from mooring.diagnosis.asking.question import PORTS, Ask, Asker
from mooring.diagnosis.asking.records import Diagnosis, State, Told
from mooring.diagnosis.asking.service import Diagnoses, DiagnosisPolicy
from mooring.diagnosis.asking.views import DiagnosisView, view_of
from mooring.diagnosis.gentle.spending import SharedBudget
from mooring.diagnosis.interfaces import Tell
from mooring.diagnosis.passive.hindsight import Hindsight
from mooring.diagnosis.passive.raising import Raiser
from mooring.diagnosis.picture.drawing import ASCII, GLYPHS, matrix_text, proved, table_title
from mooring.diagnosis.picture.drawing import WORDS as CELL_WORDS
from mooring.diagnosis.picture.live import Watch
from mooring.diagnosis.picture.matrix import (
    Mark,
    MatrixCell,
    MatrixRow,
    MatrixTable,
    matrix_of,
    probes_of,
    words_of_lookup,
)
from mooring.diagnosis.picture.outcomes import SERVICES, VANTAGES, words_of
from mooring.diagnosis.probes.prober import NetworkProber
from mooring.diagnosis.progress import Began, Concluded, Controlled, LookedUp, Observed, Passed, Progress
from mooring.diagnosis.repository.budget import forget_probes
from mooring.diagnosis.repository.diagnoses import forget_diagnoses
from mooring.diagnosis.repository.watches import forget_watches
from mooring.diagnosis.runner import Runner
from mooring.diagnosis.types import (
    Control,
    Evidence,
    Exit,
    Icmp,
    Lookup,
    Observation,
    Outcome,
    Probe,
    Question,
    Secrets,
    Service,
    Stage,
    Step,
    Vantage,
)
from mooring.diagnosis.verdict.types import Code, Reader, Verdict
from mooring.diagnosis.verdict.words import log_lines
from mooring.diagnosis.watches.authenticating import Authenticating
from mooring.diagnosis.watches.rules import Change, ChangeKind, Rhythm, WatchState
from mooring.diagnosis.watches.service import Watches
from mooring.diagnosis.watches.views import WatchView, watch_view
from mooring.diagnosis.watches.watch import Authentication, ServerWatch
from mooring.diagnosis.watches.watcher import Watcher

__all__ = [
    "ASCII",
    "CELL_WORDS",
    "GLYPHS",
    "PORTS",
    "SERVICES",
    "VANTAGES",
    "Ask",
    "Asker",
    "Authenticating",
    "Authentication",
    "Began",
    "Carrying",
    "Change",
    "ChangeKind",
    "Code",
    "Concluded",
    "Control",
    "Controlled",
    "Diagnoses",
    "Diagnosis",
    "DiagnosisPolicy",
    "DiagnosisView",
    "Evidence",
    "Exit",
    "Followers",
    "Hindsight",
    "Icmp",
    "LedgerMemory",
    "LookedUp",
    "Lookup",
    "Mark",
    "MatrixCell",
    "MatrixRow",
    "MatrixTable",
    "Means",
    "NetworkProber",
    "Observation",
    "Observed",
    "Outcome",
    "Passed",
    "Probe",
    "Progress",
    "Question",
    "Raiser",
    "Reader",
    "Rhythm",
    "Runner",
    "Secrets",
    "ServerWatch",
    "Service",
    "SharedBudget",
    "Stage",
    "State",
    "Step",
    "Tell",
    "Told",
    "Vantage",
    "Verdict",
    "Watch",
    "WatchState",
    "WatchView",
    "Watcher",
    "Watches",
    "detecting",
    "exits_for",
    "forget_diagnoses",
    "forget_probes",
    "forget_watches",
    "guessing",
    "log_lines",
    "matrix_of",
    "matrix_text",
    "probes_of",
    "proved",
    "scopes_of",
    "table_title",
    "vantage_of",
    "view_of",
    "watch_view",
    "words_of",
    "words_of_lookup",
]
