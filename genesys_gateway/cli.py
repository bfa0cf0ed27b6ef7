"""The command line: what a person does beside the running service.

Law: each command imports what it needs when it runs, so that ``--help`` is quick and nothing that must be patched
for gevent is imported before the command that patches.
"""

import os
import sys

import click

#: What systemd and others read as "configured wrongly, don't try again"; also an unknown option's code.
_MISCONFIGURED = 2

_AS_IT_COMES = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}


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
    from genesys_gateway.demo import main as play

    sys.exit(play(once=once))


@main.command()
def migrate() -> None:
    """Bring the tables of DATABASE_URL to what this version expects.

    The service does this by itself when it starts; a repetition changes nothing.
    """
    from genesys_gateway.errors import GatewayError
    from genesys_gateway.storage.migrate import migrate as bring_up_to_date

    url = _database_url()
    try:
        changed = bring_up_to_date(url)
    except (GatewayError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo("The tables were made or changed." if changed else "The tables are up to date already.")


def _database_url() -> str:
    """The one setting that is needed here; the others may be wrong or missing."""
    from genesys_gateway.environment import Environment
    from genesys_gateway.settings_rules import database_url

    env = Environment(os.environ)
    url = database_url(env, "DATABASE_URL")
    mistakes = env.finish()
    if mistakes or url is None:
        click.echo("\n".join(mistakes), err=True)
        sys.exit(_MISCONFIGURED)
    return url
