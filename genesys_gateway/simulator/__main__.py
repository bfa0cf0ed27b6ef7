"""`python -m genesys_gateway.simulator`."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

from genesys_gateway.simulator import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
