"""The command line: what a person does beside the running service.

Law: each command imports what it needs when it runs, so that ``--help`` is quick and nothing that must be patched
for gevent is imported before the command that patches.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from genesys_gateway.storage.operator_session import OperatorSession

#: What systemd and others read as "configured wrongly, don't try again"; also an unknown option's code.
_MISCONFIGURED = 2

_AS_IT_COMES = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}


class _Uuid(click.ParamType[str]):
    """A UUID in lower case; with ``stdin``, ``-`` stands for a line from there, as what is in argv others can read."""

    name = "uuid"

    def __init__(self, *, stdin: bool = False) -> None:
        self._stdin = stdin

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The canonical text; a usage error that does not repeat the value when it is none."""
        from marshmallow import ValidationError

        from genesys_gateway.web.schemas.requests import uuid

        try:
            return uuid(sys.stdin.readline().strip() if self._stdin and value == "-" else value)
        except ValidationError:
            self.fail("must be a UUID: 8-4-4-4-12 hexadecimal digits", param, ctx)


_UUID, _UUID_OR_STDIN = _Uuid(), _Uuid(stdin=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON value instead of lines for people.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Genesys-gateway: communication records of Genesys Cloud conversations.

    The service itself is started with: gunicorn -c gunicorn.conf.py wsgi:app
    """


@main.command(context_settings=_AS_IT_COMES, add_help_option=False)
@click.pass_context
def simulator(context: click.Context) -> None:
    """Run a Genesys Cloud and a CommunicationHistory to practise against."""
    from genesys_gateway import simulator as room

    sys.exit(room.main(context.args))


@main.command()
@click.option("--once", is_flag=True, help="End after the five conversations; exit 0 only if every record arrived.")
def demo(once: bool) -> None:
    """Show the whole way: simulator, gateway, five conversations."""
    from genesys_gateway.simulator.demo.main import main as play

    sys.exit(play(once=once))


@main.command()
def migrate() -> None:
    """Bring the tables of DATABASE_URL to what this version expects.

    The service does this by itself when it starts; a repetition changes nothing.
    """
    from genesys_gateway.runtime.errors import GatewayError
    from genesys_gateway.storage.migrate import migrate as bring_up_to_date

    url = _database_url()
    try:
        changed = bring_up_to_date(url)
    except (GatewayError, OSError) as error:
        click.echo(str(error), err=True)
        sys.exit(_MISCONFIGURED)
    click.echo("The tables were made or changed." if changed else "The tables are up to date already.")


@main.command()
@click.option("--write-probe", is_flag=True, help="Send CommunicationHistory a record; it stays there.")
@click.option("--use-assertion", is_flag=True, help="Spend the assertion in the file although a gateway runs.")
@_JSON
def check(write_probe: bool, use_assertion: bool, as_json: bool) -> None:
    """Look at everything the gateway needs, with the settings of this environment, before going live.

    Settings, database, proxy, TLS, clock, token, permissions, the topic of after-call work, channels in use,
    CommunicationHistory: a tick or a cross for each, and with each cross what to do.

    Nothing is changed, and a running gateway does not notice. It takes a token of its own, which ends by itself. The
    assertion in GENESYS_SAML_ASSERTION_FILE is good for one token only: if a gateway runs on the same database it is
    left to that one, and what needs a token is not looked at, unless --use-assertion is given. If none runs it is used
    up: put a fresh one into the file before the gateway is started.

    Exit code 1: there is a cross.
    """
    from gevent import monkey

    monkey.patch_all()

    from genesys_gateway.commands.check.command import Options
    from genesys_gateway.commands.check.command import check as look
    from genesys_gateway.runtime import logs

    # What goes wrong is told as a finding.
    logs.configure("critical", "text")
    sys.exit(look(Options(write_probe=write_probe, use_assertion=use_assertion), as_json=as_json))


@main.command()
@click.argument("interaction_id", type=_UUID)
@_JSON
def why(interaction_id: str, as_json: bool) -> None:
    """Explain where a conversation stands, and each of its records.

    INTERACTION_ID is the id BOFE registered. Nothing personal is shown. Exit code 1: it was never registered.
    """
    from genesys_gateway.commands.why import why as explain

    _run(lambda session: explain(session, interaction_id, as_json=as_json))


@main.command()
@click.option("--customer", "customer_id", required=True, type=_UUID_OR_STDIN, help="Its id; - reads it from stdin.")
@click.option("--even-undelivered", is_flag=True, help="Give up what is not in CommunicationHistory yet.")
@_JSON
def erase(customer_id: str, even_undelivered: bool, as_json: bool) -> None:
    """Erase what is kept of one customer, now, also while the gateway runs.

    In every conversation of the customer, closed or open, the pairing and the content of its records go: numbers,
    names, notes, whatever Genesys sent. Ids, states and timelines stay. An open conversation is followed on, and
    records to come are delivered without a customer. What CommunicationHistory has is its own affair.

    While a record of the customer is not delivered nothing is erased, and the records are named: the bank was promised
    them. With --even-undelivered they are given up for ever: kept as dead, without content. One that is being sent at
    this moment may still arrive.

    Exit code 1: nothing was there, or something is left.
    """
    from genesys_gateway.commands.erase import erase as erase_customer

    _run(lambda session: erase_customer(session, customer_id, even_undelivered=even_undelivered, as_json=as_json))


@main.group("dead-letters")
def dead_letters() -> None:
    """Records that were given up: they are kept, and can be sent on their way again."""


@dead_letters.command("list")
@click.option("--reason", help="Only what is dead for this reason, as the list spells it.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1), help="How many at most.")
@_JSON
def list_dead(reason: str | None, limit: int, as_json: bool) -> None:
    """List them, oldest first."""
    from genesys_gateway.commands.dead_letters import list_dead as show_list

    _run(lambda session: show_list(session, reason, limit=limit, as_json=as_json))


@dead_letters.command()
@click.argument("record_id", type=_UUID)
@click.option("--reveal", is_flag=True, help="Show personal data too: customer, numbers, names, notes.")
@_JSON
def show(record_id: str, reveal: bool, as_json: bool) -> None:
    """Show one, with what is personal hidden. Exit code 1: it is not there, or not dead."""
    from genesys_gateway.commands.dead_letters import show as show_one

    _run(lambda session: show_one(session, record_id, reveal=reveal, as_json=as_json))


@dead_letters.command()
@click.argument("record_id", required=False, type=_UUID)
@click.option("--reason", help="All that are dead for this reason, as the list spells it.")
@click.option("--all", "everything", is_flag=True, help="All that are dead.")
@_JSON
def requeue(record_id: str | None, reason: str | None, everything: bool, as_json: bool) -> None:
    """Send one, or many, on their way again; a running gateway takes them within a quarter of its lease.

    Exit code 1: there was nothing to requeue. What was erased can't be.
    """
    from genesys_gateway.commands import dead_letters as command

    if [record_id is not None, reason is not None, everything].count(True) != 1:
        raise click.UsageError("Give one of: RECORD_ID, --reason, --all.")
    if record_id is not None:
        one = record_id
        _run(lambda session: command.requeue(session, one, as_json=as_json))
    _run(lambda session: command.requeue_many(session, reason, as_json=as_json))


def _run(command: "Callable[[OperatorSession], int]") -> NoReturn:
    """Run a command at the database of DATABASE_URL, and exit with its code."""
    from genesys_gateway.commands.screen import at_the_database

    sys.exit(at_the_database(_database_url(), command))


def _database_url() -> str:
    """The one setting that is needed here; the others may be wrong or missing."""
    from genesys_gateway.settings.environment import Environment
    from genesys_gateway.settings.rules import database_url

    env = Environment(os.environ)
    url = database_url(env, "DATABASE_URL")
    mistakes = env.finish()
    if mistakes or url is None:
        click.echo("\n".join(mistakes), err=True)
        sys.exit(_MISCONFIGURED)
    return url
