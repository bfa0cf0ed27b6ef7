"""``python -m genesys_gateway``."""

from genesys_gateway.commands.cli import main

main()
