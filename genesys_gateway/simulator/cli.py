"""The simulator's command line: serve a simulator, verify a running one, or play BOFE."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from genesys_gateway.simulator import bofe, verify
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.parameters import MOST_SPEED
from genesys_gateway.simulator.server import Service, wait_until_stopped


def run(argv: Sequence[str] | None = None) -> int:
    """Run `serve` (the default), `verify` or `bofe`.

    Returns:
        The exit code: 0 for success, 1 when `verify` finds that the balance is not clean, 2 when the command can't
        be carried out.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    known = parsers()
    if arguments[:1] == ["verify"]:
        return verify.verify(known["simulator verify"].parse_args(arguments[1:]))
    if arguments[:1] == ["bofe"]:
        return bofe.serve(known["simulator bofe"].parse_args(arguments[1:]))
    if arguments[:1] == ["serve"]:
        arguments = arguments[1:]
    return _serve(known["simulator"].parse_args(arguments))


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, by its words."""
    for_verify = argparse.ArgumentParser(prog="simulator verify", description="Compare the records with the truth.")
    verify.add_arguments(for_verify)
    for_bofe = argparse.ArgumentParser(prog="simulator bofe", description="Register what the traffic player tells.")
    bofe.add_arguments(for_bofe)
    return {"simulator": _parser(), "simulator verify": for_verify, "simulator bofe": for_bofe}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulator",
        description="A Genesys Cloud and a CommunicationHistory-manager to practise against.",
        epilog="`simulator verify --url URL` compares what was stored with what happened; "
        "`simulator bofe` registers what the traffic player tells.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=9000, help="port of everything (default 9000; 0: any)")
    parser.add_argument(
        "--history-port", type=int, help="a second port for the communication history; refuses connections when down"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, e.g. heartbeatSeconds=5"
    )
    parser.add_argument(
        "--saml-certificate", metavar="FILE", help="believe only assertions signed with the key of this certificate"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster than real its time passes")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    service = Service(arguments.host, arguments.port, arguments.history_port)
    try:
        service.world.options.change(dict(_setting(text) for text in arguments.set))
        if arguments.saml_certificate:
            service.world.options.change({"samlCertificate": Path(arguments.saml_certificate).read_text()})
        if not 0 < arguments.speed <= MOST_SPEED:
            raise ControlError(f"--speed is above 0 and at most {MOST_SPEED}")
        service.world.clock.set_speed(arguments.speed)
        service.start()
    except (OSError, ValueError, ControlError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    client = "client simulator-client / simulator-secret, org simulator-org"
    sys.stdout.write(f"Simulator: {service.url}  history: {service.history_url}  ({client})\n")
    sys.stdout.flush()
    wait_until_stopped()
    service.stop()
    return 0


def _setting(text: str) -> tuple[str, float | bool | str]:
    name, _, value = text.partition("=")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        number = float(value)
    except ValueError:
        return name, value
    return name, int(number) if number.is_integer() else number
