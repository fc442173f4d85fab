"""Many reports on many machines, by Dask."""

from pay88kit.reports.cluster.caller import ClusterLost, connected

__all__ = ["ClusterLost", "connected"]
