"""Only four modules open connections, two make engines, and no code makes TLS trust more than the settings allow."""

import ast
from collections.abc import Iterator
from pathlib import Path

from genesys_gateway.settings import Settings, variable
from tests.architecture.sources import PACKAGE, imported_by, name_of, service_files, tree_of

#: The simulator and the demo: their connections stay on this machine.
SIMULATORS = (PACKAGE / "simulator",)
#: Modules that can open a connection.
OPENERS = (
    "aiohttp",
    "ftplib",
    "gevent.socket",
    "http.client",
    "httpx",
    "requests",
    "smtplib",
    "socket",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websocket",
    "xmlrpc",
)
#: The HTTP client, the WebSocket client, the command ``check``, which tests the proxy, and ``status``, which asks a
#: gateway.
MAY_OPEN = {
    "genesys_gateway/runtime/http_client.py",
    "genesys_gateway/genesys/websocket.py",
    "genesys_gateway/commands/check/hosts.py",
    "genesys_gateway/commands/status.py",
}
#: Names whose use anywhere weakens TLS.
WEAKENING = {
    "CERT_NONE",
    "CERT_OPTIONAL",
    "_create_unverified_context",
    "_create_stdlib_context",
    "disable_warnings",
    "InsecureRequestWarning",
    "OP_NO_TLSv1_3",
    "set_ciphers",
}


def own_files() -> Iterator[Path]:
    for path in service_files():
        if not any(path.is_relative_to(simulator) for simulator in SIMULATORS):
            yield path


def test_only_the_modules_for_it_open_connections() -> None:
    found = {
        name_of(path)
        for path in own_files()
        for module in imported_by(path)
        if any(module == opener or module.startswith(f"{opener}.") for opener in OPENERS)
    }
    assert found == MAY_OPEN


def test_one_module_for_each_database_makes_engines() -> None:
    found = {
        name_of(path)
        for path in own_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("create_engine")
    }
    assert found == {"genesys_gateway/storage/connections.py", "genesys_gateway/storage/postgres_engine.py"}


def weak(node: ast.AST) -> bool:
    """Whether this piece of code may weaken TLS."""
    match node:
        case ast.keyword(arg="verify" | "check_hostname", value=ast.Constant(value=False | None)):
            return True
        case ast.Assign(targets=[ast.Attribute(attr="check_hostname" | "verify")], value=ast.Constant(value=False)):
            return True
        case ast.Attribute(attr=word) | ast.Name(id=word) | ast.Constant(value=str(word)):
            return word in WEAKENING
    return False


def test_nothing_weakens_tls() -> None:
    found = [
        (name_of(path), ast.unparse(node)) for path in own_files() for node in ast.walk(tree_of(path)) if weak(node)
    ]
    assert found == []


def test_the_search_for_weak_tls_would_find_it() -> None:
    samples = (
        "get(verify=False)",
        "c.check_hostname = False",
        "c.verify_mode = ssl.CERT_NONE",
        "cert_reqs='CERT_NONE'",
    )
    assert all(any(weak(node) for node in ast.walk(ast.parse(sample))) for sample in samples)


def test_no_setting_is_about_trusting_more() -> None:
    names = [variable(name) for name in Settings.__dataclass_fields__]
    assert not [name for name in names if "VERIFY" in name or "INSECURE" in name or "TRUST" in name]
