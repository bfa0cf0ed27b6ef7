"""``why``: explains the state of one conversation and of its records."""

from genesys_gateway.commands.output import DONE, NOT_DONE, print_error, print_json, print_lines
from genesys_gateway.oversight.account import account
from genesys_gateway.oversight.explanation import Explanation, explain
from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import inspection
from genesys_gateway.storage.statements.inspection import ConversationFacts


def why(session: OperatorSession, interaction_id: str, *, as_json: bool) -> int:
    """Print the explanation of one conversation."""
    facts = session.read(lambda connection: inspection.conversation_facts(connection, interaction_id))
    if facts is None:
        return print_error(f"{interaction_id} was never registered.", code=NOT_DONE)
    explanation = explain(facts)
    if as_json:
        print_json(account(facts, explanation))
    else:
        print_lines(*_lines(facts, explanation))
    return DONE


def _lines(facts: ConversationFacts, explanation: Explanation) -> list[str]:
    return [
        f"Interaction {facts.id}",
        f"  {explanation.state}",
        f"  {explanation.coverage}",
        f"  {explanation.owner}",
        f"  {explanation.customer}",
        "",
        "It waits for" if explanation.awaited else "It waits for nothing.",
        *(f"  {line}" for line in explanation.awaited),
        "",
        "Records" if facts.records else "There are no records.",
        *(
            line
            for one, text in zip(facts.records, explanation.records, strict=True)
            for line in (f"  {one.id} ({one.state}, {one.source})", f"    {text}")
        ),
        "",
        "What happened",
        *(f"  {isoformat(item.at)}  {text}" for item, text in zip(facts.timeline, explanation.timeline, strict=True)),
    ]
