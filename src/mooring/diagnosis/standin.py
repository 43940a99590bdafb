"""What stands in for the runner and its probes as long as they are not there: it looks at nothing, and says so."""

from mooring.diagnosis.interfaces import Tell
from mooring.diagnosis.types import Code, Concluded, Evidence, Lookup, Question, Reader, Secrets, Verdict


async def investigate(question: Question, _secrets: Secrets, tell: Tell) -> tuple[Evidence, Verdict]:
    """No evidence, and a verdict that says so."""
    verdict = Verdict(
        Code.INCONCLUSIVE,
        0.0,
        "Nothing was looked at: this build has no probes.",
        {reader: ["Ask again with a build that has them."] for reader in Reader},
        row="no_probes",
    )
    tell(Concluded(verdict))
    return Evidence(question, ()), verdict


async def look_up(_question: Question, host: str, _port: int) -> Lookup:
    """Nothing is found."""
    return Lookup(host, problem="no_such_name")
