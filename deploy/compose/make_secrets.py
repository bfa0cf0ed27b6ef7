"""Makes the passwords and tokens of compose.yaml, below a folder with one folder for each reader.

Invariant: a secret that is there already stays, so a second start of the services fits to what they have stored.
"""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path


def main(folder: Path) -> None:
    """Write every secret that is missing. The folders of the readers exist: they are volumes."""
    password = _kept(folder / "database" / "password", _word)
    _kept(folder / "gateway" / "database_url", lambda: f"postgresql+psycopg://gateway:{password}@database:5432/gateway")
    bofe = _kept(folder / "bofe" / "token", _word)
    _kept(folder / "gateway" / "tokens", lambda: f"bofe:{bofe}\nbackoffice:{_word()}\nops:{_word()}")
    # The simulator's own, the same everywhere; that of a client of Genesys would take its place.
    _kept(folder / "gateway" / "genesys_client_secret", lambda: "simulator-secret")
    _kept(folder / "grafana" / "password", _word)


def _word() -> str:
    return secrets.token_hex(24)


def _kept(file: Path, make: Callable[[], str]) -> str:
    if file.exists():
        return file.read_text()
    text = make()
    unfinished = file.with_name(f".{file.name}")
    unfinished.write_text(text)
    # Its reader has another account. Nobody else sees the file: it lies in a volume that only its reader mounts.
    unfinished.chmod(0o444)
    unfinished.rename(file)
    return text


if __name__ == "__main__":
    main(Path(sys.argv[1]))
