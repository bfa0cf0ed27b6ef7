"""What runs on a timer beside the path of the data.

Invariant: each of these may be late or fail, and nothing is lost.

The files, in reading order:

    lease                this instance owns its conversations and channels as long as its lease holds
    resync               compares database and channels, and corrects the differences
    gauges               metrics that are read off the state
    retention            erases content that is no longer needed
"""

from genesys_gateway.maintenance.gauges import Gauges
from genesys_gateway.maintenance.lease import Lease
from genesys_gateway.maintenance.resync import Resync
from genesys_gateway.maintenance.retention import Retention

__all__ = ["Gauges", "Lease", "Resync", "Retention"]
