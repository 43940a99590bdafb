"""Does this mail server need static addresses, and how do we know: evidence, and the verdict that follows from it.

Probes gather evidence, each one pair of source and server address through one protocol, stage by stage. The verdict is
a pure function of the evidence: a table that a person can read (``table.py``). Start at ``types.py`` for the words,
then ``runner.py`` for how a diagnosis goes, and ``service.py`` for how one is asked for and followed.
"""

from mooring.diagnosis.authenticating import Authenticating
from mooring.diagnosis.carrying import Carrying, Means
from mooring.diagnosis.detecting import detecting
from mooring.diagnosis.drawing import ASCII, GLYPHS, matrix_text, proved, table_title
from mooring.diagnosis.drawing import WORDS as CELL_WORDS
from mooring.diagnosis.exits import exits_for, scopes_of, vantage_of
from mooring.diagnosis.following import Followers
from mooring.diagnosis.guessing import guessing
from mooring.diagnosis.hindsight import Hindsight
from mooring.diagnosis.interfaces import Tell
from mooring.diagnosis.matrix import (
    Mark,
    MatrixCell,
    MatrixRow,
    MatrixTable,
    matrix_of,
    probes_of,
    words_of_lookup,
)
from mooring.diagnosis.memory import LedgerMemory
from mooring.diagnosis.outcomes import SERVICES, VANTAGES, words_of
from mooring.diagnosis.prober import NetworkProber
from mooring.diagnosis.question import PORTS, Ask, Asker
from mooring.diagnosis.raising import Raiser
from mooring.diagnosis.records import Diagnosis, State, Told
from mooring.diagnosis.repository.budget import forget_probes
from mooring.diagnosis.repository.diagnoses import forget_diagnoses
from mooring.diagnosis.repository.watches import forget_watches
from mooring.diagnosis.runner import Runner
from mooring.diagnosis.service import Diagnoses, DiagnosisPolicy
from mooring.diagnosis.spending import SharedBudget
from mooring.diagnosis.types import (
    Began,
    Code,
    Concluded,
    Control,
    Controlled,
    Evidence,
    Exit,
    Icmp,
    LookedUp,
    Lookup,
    Observation,
    Observed,
    Outcome,
    Passed,
    Probe,
    Progress,
    Question,
    Reader,
    Secrets,
    Service,
    Stage,
    Step,
    Vantage,
    Verdict,
)
from mooring.diagnosis.views import DiagnosisView, view_of
from mooring.diagnosis.watch import Authentication, ServerWatch
from mooring.diagnosis.watcher import Watcher
from mooring.diagnosis.watches import Watches
from mooring.diagnosis.watching import Watch
from mooring.diagnosis.watchrules import Change, ChangeKind, Rhythm, WatchState
from mooring.diagnosis.watchviews import WatchView, watch_view
from mooring.diagnosis.words import log_lines

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
