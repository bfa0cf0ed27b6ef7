"""Entry point of `python -m genesys_gateway.simulator`."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - gevent has to patch first

from genesys_gateway.simulator import main  # noqa: E402 - gevent has to patch first

sys.exit(main(sys.argv[1:]))
