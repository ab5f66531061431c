"""What the suite's property tests draw; see ``pggit_chaos.strategies``."""

from pggit_chaos.strategies import (
    branch_names,
    columns,
    commit_ids,
    commit_messages,
    fault_plans,
    hostile_branch_names,
    identifiers,
    operation_sequences,
    operations,
    parts,
    rows,
    tables,
    texts,
    trinity_ids,
    versions,
)

__all__ = [
    "branch_names",
    "columns",
    "commit_ids",
    "commit_messages",
    "fault_plans",
    "hostile_branch_names",
    "identifiers",
    "operation_sequences",
    "operations",
    "parts",
    "rows",
    "tables",
    "texts",
    "trinity_ids",
    "versions",
]
