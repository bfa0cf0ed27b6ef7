"""``python -m genesys_gateway``, and the installed command ``genesys-gateway``."""

import gc

from genesys_gateway.commands.cli import main

#: Number of new objects after which garbage is looked for. With Python's 700 that takes a tenth of a command's time.
_NEW_OBJECTS = 50_000


def command() -> None:
    """Run the command that the arguments name, and exit with its code."""
    gc.set_threshold(_NEW_OBJECTS)
    main()


if __name__ == "__main__":
    command()
