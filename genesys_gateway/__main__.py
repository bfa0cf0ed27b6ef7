"""``python -m genesys_gateway``."""

from genesys_gateway.cli import main

main()
