"""Entry point of `python -m genesys_gateway.simulator`."""

import sys

from genesys_gateway.simulator.launch import main

sys.exit(main(sys.argv[1:]))
