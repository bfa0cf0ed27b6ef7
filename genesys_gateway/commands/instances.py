"""``instances``: lists the instances on the database, with their leases, channels and conversations."""

from dataclasses import asdict

from genesys_gateway.commands.output import DONE, NOT_DONE, print_error, print_json, print_lines, table
from genesys_gateway.oversight.account import json_fields
from genesys_gateway.oversight.explanation import moment
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.statements.instances import InstanceFacts


def list_instances(session: OperatorSession, *, as_json: bool) -> int:
    """Print the instances, the latest first."""
    found, now = session.read(_read)
    if as_json:
        print_json([json_fields(asdict(one)) for one in found])
        return DONE if found else NOT_DONE
    if not found:
        return print_error("No instance is known on this database.", code=NOT_DONE)
    head = ("INSTANCE", "STATE", "LEASE UNTIL", "RENEWED", "CHANNELS", "CONVERSATIONS", "LISTENS AT")
    print_lines(*table(head, [_row(one, now) for one in found]))
    return DONE


def _read(connection: Connection) -> tuple[list[InstanceFacts], int]:
    return instances.listed(connection), database_now(connection)


def _row(one: InstanceFacts, now: int) -> tuple[object, ...]:
    renewed = "-" if one.renewed_at is None else moment(one.renewed_at, now).partition(" ")[2].strip("()")
    return (
        one.id,
        one.state,
        moment(one.lease_until, now),
        renewed,
        one.channels,
        one.conversations,
        one.endpoint or "-",
    )
