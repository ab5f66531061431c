"""Which failpoints the measured work passes: what there is to pay for."""

from __future__ import annotations

from collections import Counter

import ground
from ground import Ground
from throughput import work

from pggit_chaos.chaos import Chaos
from pggit_chaos.listing import Listing, Record

__all__ = ["as_listing"]

_COLUMNS = ("work", "kind", "failpoint", "hits")
_KINDS = "SELECT failpoint, kind FROM pggit_chaos._failpoints()"


def as_listing(place: Ground) -> Listing:
    """Return the failpoints that each kind of work passes, most hits first."""
    records = []
    with place.clone(ground.HOOKED) as conn:
        kinds = dict(conn.execute(_KINDS).fetchall())
        for name, statement in work(conn).items():
            hits = Counter(hit.failpoint for hit in Chaos(conn).trace(statement(0)))
            records += [
                Record(
                    name=f"{name} {failpoint}",
                    values=dict(
                        zip(_COLUMNS, (name, kinds[failpoint], failpoint, count), strict=True)
                    ),
                )
                for failpoint, count in hits.most_common()
            ]
    return Listing(
        name="failpoints",
        title=f"Failpoints that the work passes: {place.label}",
        columns=_COLUMNS,
        records=records,
    )
