"""What a server has done, method by method: clients of `zsvc.stats.v1.Stats`."""

from .builtin.generated.zsvc.stats.v1 import Latency, MethodStats, Snapshot, StatsBlockingClient, StatsClient

__all__ = ["Latency", "MethodStats", "Snapshot", "StatsBlockingClient", "StatsClient"]
