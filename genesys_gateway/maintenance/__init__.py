"""What runs on the side: the lease, the comparison of disk and channels, gauges, retention."""
