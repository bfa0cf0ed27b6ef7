"""Maintenance: what runs on a timer beside the path of the data.

Invariant: if one of these is late or fails, no registration, event or record is lost.

The files, in reading order:

    lease                this instance owns its conversations and channels as long as its lease holds
    lease_watch          whether other instances renew theirs
    ownership            takes conversations that other instances have left, and offers those without a place
    drain                hands all conversations over before the stop
    resync               compares database and channels, and corrects the differences
    gauges               metrics that are read from the state
    live_gauges          metrics that are read at the moment of a scrape
    hub_lag              measures how late the event loop is
    forgetting           deletes closed conversations after their time
    retention            erases personal content after its time, then forgets
"""

from genesys_gateway.maintenance.drain import Drain
from genesys_gateway.maintenance.gauges import Gauges
from genesys_gateway.maintenance.lease import Lease
from genesys_gateway.maintenance.ownership import Ownership
from genesys_gateway.maintenance.resync import Resync
from genesys_gateway.maintenance.retention import Retention

__all__ = ["Drain", "Gauges", "Lease", "Ownership", "Resync", "Retention"]
