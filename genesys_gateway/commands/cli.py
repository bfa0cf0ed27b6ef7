"""The command line: commands, options and their help.

Invariant: each command imports what it needs when it runs. So ``--help`` is quick, and no module that gevent must patch
is imported before ``check`` has patched it.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from genesys_gateway.runtime.version import __version__

if TYPE_CHECKING:
    from genesys_gateway.storage.operator_session import OperatorSession

#: Exit code for a wrong setting, and click's for an unknown option. systemd can be configured not to restart after it.
_MISCONFIGURED = 2

#: All arguments are passed on as they are.
_PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}


class _Uuid(click.ParamType[str]):
    """A UUID, returned in lower case. With ``stdin``, ``-`` reads it from there: other users can read argv."""

    name = "uuid"

    def __init__(self, *, stdin: bool = False) -> None:
        self._stdin = stdin

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the canonical text. An invalid value is a usage error that does not repeat the value."""
        from marshmallow import ValidationError

        from genesys_gateway.web.schemas.requests import uuid

        try:
            return uuid(sys.stdin.readline().strip() if self._stdin and value == "-" else value)
        except ValidationError:
            self.fail("must be a UUID: 8-4-4-4-12 hexadecimal digits", param, ctx)


_UUID, _UUID_OR_STDIN = _Uuid(), _Uuid(stdin=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="genesys-gateway")
def main() -> None:
    """Genesys-gateway: communication records of Genesys Cloud conversations."""


@main.command()
def run() -> None:
    """Run the service with the settings of this environment, until SIGTERM.

    The same as gunicorn -c gunicorn.conf.py wsgi:app in a checkout. This process becomes gunicorn's master.

    Exit code 2: a setting is wrong, or the database can't be used by this version.
    """
    from genesys_gateway.commands.run import run as become_gunicorn

    become_gunicorn()


@main.command(context_settings=_PASS_THROUGH, add_help_option=False)
@click.pass_context
def simulator(context: click.Context) -> None:
    """Run a simulated Genesys Cloud and CommunicationHistory."""
    from genesys_gateway.simulator import main as simulate

    sys.exit(simulate(context.args))


@main.command()
@click.option("--once", is_flag=True, help="End after the five conversations; exit 0 only if every record arrived.")
@click.option("--traffic", is_flag=True, help="Keep a contact centre going instead, with faults in turn, until Ctrl-C.")
@click.option("--minutes", default=120.0, show_default=True, help="How long the traffic goes on at most.")
def demo(once: bool, traffic: bool, minutes: float) -> None:
    """Show the whole path on this machine: simulator, gateway, five conversations, and the dashboard."""
    from genesys_gateway.simulator.demo.main import keep_going
    from genesys_gateway.simulator.demo.main import main as run_demo

    if once and traffic:
        raise click.UsageError("--once and --traffic exclude each other")
    sys.exit(keep_going(minutes=minutes) if traffic else run_demo(once=once))


@main.command()
def migrate() -> None:
    """Create or change the tables in DATABASE_URL for this version.

    The service does this by itself when it starts. A repetition changes nothing.
    """
    from genesys_gateway.runtime.errors import GatewayError
    from genesys_gateway.storage.migrate import migrate as migrate_database

    url = _database_url()
    try:
        changed = migrate_database(url)
    except (GatewayError, OSError) as error:
        click.echo(str(error), err=True)
        sys.exit(_MISCONFIGURED)
    click.echo("The tables were made or changed." if changed else "The tables are up to date already.")


@main.command()
@click.option("--write-probe", is_flag=True, help="Send CommunicationHistory a record; it stays there.")
@click.option("--use-assertion", is_flag=True, help="Send the assertion in the file although a gateway runs.")
@_JSON
def check(write_probe: bool, use_assertion: bool, as_json: bool) -> None:
    """Check everything the gateway needs, with the settings of this environment, before going live.

    Settings, database, proxy, TLS, clock, token, permissions, the topic of after-call work, channels in use,
    CommunicationHistory: a tick or a cross for each, and with each cross what to do.

    Nothing is changed, and a running gateway is not affected. The check requests its own token, which expires by
    itself. The assertion in GENESYS_SAML_ASSERTION_FILE may be good for only one token. If a gateway runs on the same
    database, the assertion is left to it, and what needs a token is not checked, unless --use-assertion is given. If
    none runs, the assertion is sent: put a fresh one into the file before you start the gateway.

    Exit code 1: there is a cross.
    """
    from gevent import monkey

    monkey.patch_all()

    from genesys_gateway.commands.check.command import Options
    from genesys_gateway.commands.check.command import check as run_checks
    from genesys_gateway.runtime import logs

    # Errors are reported as findings, not in the log.
    logs.configure("critical", "text")
    sys.exit(run_checks(Options(write_probe=write_probe, use_assertion=use_assertion), as_json=as_json))


@main.command()
@click.argument("interaction_id", type=_UUID)
@_JSON
def why(interaction_id: str, as_json: bool) -> None:
    """Explain the state of a conversation and of each of its records.

    INTERACTION_ID is the id BOFE registered. Nothing personal is shown. Exit code 1: it was never registered.
    """
    from genesys_gateway.commands.why import why as explain

    _run(lambda session: explain(session, interaction_id, as_json=as_json))


@main.command()
@_JSON
def instances(as_json: bool) -> None:
    """List the instances on this database: states, leases, channels, conversations.

    running: its lease is valid. draining: it is stopping, and the others take over its conversations. lost: its lease
    ended although it did not leave. left: it has stopped. Exit code 1: no instance is known.
    """
    from genesys_gateway.commands.instances import list_instances

    _run(lambda session: list_instances(session, as_json=as_json))


@main.command()
@click.option("--url", help="Address of the gateway.  [default: from GATEWAY_BIND]")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with a token of the role ops, or with role:token pairs.  [default: GATEWAY_TOKENS]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it came.")
def status(url: str | None, token_file: Path | None, as_json: bool) -> None:
    """Ask a running gateway what is wrong: whether the promise is kept, and each trouble with what to do.

    It answers for all instances on its database. Nothing personal is shown. The codes are explained in
    docs/runbook.md.

    Exit code 1: there is a trouble. Exit code 2: the gateway can't be asked.
    """
    from genesys_gateway.commands.status import status as ask

    sys.exit(ask(url, token_file, os.environ, as_json=as_json))


@main.command()
@click.option("--customer", "customer_id", type=_UUID_OR_STDIN, help="The id; - reads it from stdin.")
@click.option("--interaction", "interaction_id", type=_UUID, help="One interaction, also one never registered.")
@click.option("--even-undelivered", is_flag=True, help="Give up records that are not in CommunicationHistory yet.")
@_JSON
def erase(customer_id: str | None, interaction_id: str | None, even_undelivered: bool, as_json: bool) -> None:
    """Erase the data of one customer, or of one interaction, now, also while the gateway runs.

    In every conversation of the customer, closed or open, the link to the customer and the content of the records are
    erased: numbers, names, notes, everything that Genesys sent. Ids, states and timelines stay. An open conversation
    is still followed, and its later records are delivered without a customer. Data in CommunicationHistory must be
    erased there.

    While a record of the customer is not delivered, nothing is erased and these records are listed: they were promised
    to the bank. With --even-undelivered they are given up for ever: kept as dead, without content. A record that is
    being sent at this moment may still arrive.

    Exit code 1: there was nothing to erase, or something is left.
    """
    from genesys_gateway.commands import erase as command

    if (customer_id is None) is (interaction_id is None):
        raise click.UsageError("Give one of: --customer, --interaction.")
    if customer_id is not None:
        of_customer = partial(command.erase, customer_id=customer_id)
        _run(lambda session: of_customer(session, even_undelivered=even_undelivered, as_json=as_json))
    of_one = partial(command.erase_interaction, conversation_id=interaction_id or "")
    _run(lambda session: of_one(session, even_undelivered=even_undelivered, as_json=as_json))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@_JSON
def backup(file: Path, as_json: bool) -> None:
    """Copy the SQLite database into a new FILE, while the gateway runs.

    The copy is the database at one moment. It is checked, written to disk, and readable by its owner only. The gateway
    is not stopped or slowed by it, except for what the disk has to read and write. The tables may be those of another
    version of the gateway: make a copy before an upgrade.

    Exit code 1: no copy could be made, for example because the disk is full; nothing of it is left. Exit code 2: FILE
    exists already, or the database is one of PostgreSQL: use pg_dump.
    """
    from genesys_gateway.commands.backup import backup as make_backup

    _run(lambda session: make_backup(session, file, as_json=as_json), any_version=True)


@main.group("dead-letters")
def dead_letters() -> None:
    """Records that were given up: they are kept and can be requeued."""


@dead_letters.command("list")
@click.option("--reason", help="Only records that are dead for this reason, spelt as in the list.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1), help="Maximum number of records.")
@_JSON
def list_dead(reason: str | None, limit: int, as_json: bool) -> None:
    """List dead records, oldest first."""
    from genesys_gateway.commands.dead_letters import list_dead as show_list

    _run(lambda session: show_list(session, reason, limit=limit, as_json=as_json))


@dead_letters.command()
@click.argument("record_id", type=_UUID)
@click.option("--reveal", is_flag=True, help="Show personal data too: customer, numbers, names, notes.")
@_JSON
def show(record_id: str, reveal: bool, as_json: bool) -> None:
    """Show one dead record, without its personal data. Exit code 1: it does not exist or is not dead."""
    from genesys_gateway.commands.dead_letters import show as show_one

    _run(lambda session: show_one(session, record_id, reveal=reveal, as_json=as_json))


@dead_letters.command()
@click.argument("record_id", required=False, type=_UUID)
@click.option("--reason", help="All records that are dead for this reason, spelt as in the list.")
@click.option("--all", "everything", is_flag=True, help="All dead records.")
@_JSON
def requeue(record_id: str | None, reason: str | None, everything: bool, as_json: bool) -> None:
    """Requeue one or several dead records; a running gateway notices them within a quarter of its lease.

    Exit code 1: there was nothing to requeue. An erased record can't be requeued.
    """
    from genesys_gateway.commands import dead_letters as command

    if [record_id is not None, reason is not None, everything].count(True) != 1:
        raise click.UsageError("Give one of: RECORD_ID, --reason, --all.")
    if record_id is not None:
        one = record_id
        _run(lambda session: command.requeue(session, one, as_json=as_json))
    _run(lambda session: command.requeue_many(session, reason, as_json=as_json))


def _run(command: "Callable[[OperatorSession], int]", *, any_version: bool = False) -> NoReturn:
    """Run a command at the database in DATABASE_URL and exit with its code."""
    from genesys_gateway.commands.output import run_at_database

    sys.exit(run_at_database(_database_url(), command, any_version=any_version))


def _database_url() -> str:
    """The only setting that these commands need; the others may be wrong or missing."""
    from genesys_gateway.settings.environment import Environment
    from genesys_gateway.settings.rules import database_url

    env = Environment(os.environ)
    url = database_url(env, "DATABASE_URL")
    mistakes = env.finish()
    if mistakes or url is None:
        click.echo("\n".join(mistakes), err=True)
        sys.exit(_MISCONFIGURED)
    return url
