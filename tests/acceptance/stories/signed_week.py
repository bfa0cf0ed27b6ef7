"""A week on assertions that the gateway signs itself: every token is granted, every record is there."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from gevent import sleep

from tests.acceptance.stories.handover import talking
from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage

SECONDS = 700
_DAYS = 7
_LONG, _SHORT = 40, 10
_DAY_SECONDS = 86_400
_AUDIENCE = "https://gateway.bank.example/genesys"


def play(stage: Stage) -> None:
    """Some conversations last all week; others begin and end each day."""
    speed = stage.scale.of(full=1008, fast=6048)
    day = _DAY_SECONDS / speed
    certificate = _make_key(stage.folder)
    simulator = stage.simulator()
    believed = {"samlCertificate": certificate, "samlAudience": _AUDIENCE, "samlIssuer": f"{_AUDIENCE}/issuer"}
    simulator.control("PATCH", "/settings", believed)
    simulator.control("POST", "/clock", {"speed": speed})
    gateway = stage.gateway(simulator, _settings(stage.folder, speed)).start()
    sessions = simulator.start_many(_LONG)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    with talking(simulator, sessions, per_second=10):
        others = [_day(simulator, gateway, day) for _ in range(_DAYS)]
    stage.report.note(
        f"{_DAYS} days of {day:.0f} s each, {len(others) * _SHORT} conversations beside the {_LONG} long ones"
    )
    _judge(stage, simulator)


def _day(simulator: Simulator, gateway: Gateway, seconds: float) -> list[AgentSession]:
    sessions = simulator.start_many(_SHORT)
    gateway.register_all(sessions)
    sleep(seconds / 2)
    simulator.finish_all(sessions)
    sleep(seconds / 2)
    return sessions


def _judge(stage: Stage, simulator: Simulator) -> None:
    report, finished = stage.report, simulator.state()["finishedAcw"]
    took = simulator.wait_clean(finished, 60)
    granted = [call["status"] for call in simulator.ledger("calls") if call["path"] == "/oauth/token"]
    refused = [call for call in judge.api_calls(simulator.ledger("calls")) if call["status"] == 401]
    recovered = judge.sources(simulator.ledger("records"))["backfill"]
    report.note(
        f"{finished} after-call works, {len(granted)} tokens, {recovered} by REST, clean after {took or -1:.1f} s"
    )
    report.claim(
        "each day had its token, and each was granted", len(granted) >= _DAYS and set(granted) == {200}, granted
    )
    report.claim("no call was made with a token that had ended", not refused, len(refused))
    judge.nothing_lost_nothing_doubled(report, simulator)
    judge.one_socket_per_channel(report, simulator)


def _settings(folder: Path, speed: float) -> dict[str, object]:
    return {
        "GENESYS_SAML_ASSERTION_FILE": "",
        "GENESYS_SAML_KEY_FILE": folder / "key.pem",
        "GENESYS_SAML_CERTIFICATE_FILE": folder / "certificate.pem",
        "GENESYS_SAML_ISSUER": f"{_AUDIENCE}/issuer",
        "GENESYS_SAML_SUBJECT": "gateway@bank.example",
        "GENESYS_SAML_AUDIENCE": _AUDIENCE,
        # Genesys's time passes faster than ours: settings that depend on it are shortened by the same factor.
        "GATEWAY_CHANNEL_HANDOVER_SECONDS": 3600 / speed * 4,
        "GATEWAY_CHANNEL_OVERLAP_SECONDS": 1,
        "GATEWAY_API_RATE_PER_MINUTE": 100_000,
    }


def _make_key(folder: Path) -> str:
    """Make key and certificate as an administrator does; returns the certificate as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=90))
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").touch(0o600)
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    text = certificate.public_bytes(pem)
    (folder / "certificate.pem").write_bytes(text)
    return text.decode()
