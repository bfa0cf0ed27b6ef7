"""The verdict on a live view that a test describes."""

from genesys_gateway.genesys.live_view import from_answer
from genesys_gateway.reconciliation.evidence import Verdict, judge
from tests.doubles.genesys_answers import answer


def verdict_on(*participants: object, **more: object) -> Verdict:
    """What the live view proves that names these participants."""
    return judge(from_answer(answer(*participants, **more)))
