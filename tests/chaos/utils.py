"""The suite's tools by name; they live in the package, where applications find them, too."""

from pggit_chaos.deadlock import Deadlock, DeadlockSetup
from pggit_chaos.injector import ChaosInjector, Snapshot
from pggit_chaos.load import LoadGenerator, LoadReport
from pggit_chaos.monitor import TransactionMonitor
from pggit_chaos.records import Records
from pggit_chaos.retry import is_connection_lost, is_serialization, is_transient, with_retry

__all__ = [
    "ChaosInjector",
    "Deadlock",
    "DeadlockSetup",
    "LoadGenerator",
    "LoadReport",
    "Records",
    "Snapshot",
    "TransactionMonitor",
    "is_connection_lost",
    "is_serialization",
    "is_transient",
    "with_retry",
]
