"""A driver to be killed: starts a cluster, says where, and waits for what comes.

    python driver_process.py BINDIR [initdb]

With ``initdb`` it says where before initdb runs.
"""

import sys

from pggit_chaos import binaries
from pggit_chaos.cluster import Cluster


class Announced(Cluster):
    """Says where it lives as soon as it has a directory."""

    def _initialize(self) -> None:
        print(self.directory, flush=True)
        super()._initialize()


kind = Announced if sys.argv[2:] == ["initdb"] else Cluster
with kind(programs=binaries.find(sys.argv[1])) as cluster:
    if kind is Cluster:
        with cluster.connect() as conn:
            conn.execute("SELECT")
            print(cluster.directory, flush=True)
            sys.stdin.read()
