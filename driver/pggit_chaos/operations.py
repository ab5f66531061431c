"""pgGit's core operations as SQL statements, and the ground that they stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CORE", "GROUND", "OLD_BRANCH", "SOURCE_BRANCH", "Operation"]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing that people do with pgGit, as a single statement."""

    name: str
    statement: str
    needs: str | None = None
    """The function of pgGit that it calls, as ``name(type,type)``."""


SOURCE_BRANCH: Final = "chaos/source"
OLD_BRANCH: Final = "chaos/old"

# In schema public, because that is where pgGit branches data.
GROUND: Final = """
CREATE TABLE public.chaos_ground (
    id      integer PRIMARY KEY,
    name    text NOT NULL,
    balance numeric NOT NULL DEFAULT 0
);
CREATE TABLE public.chaos_ground_entry (
    id        integer PRIMARY KEY,
    ground_id integer NOT NULL REFERENCES public.chaos_ground
);
INSERT INTO public.chaos_ground (id, name) SELECT i, 'row ' || i FROM generate_series(1, 5) AS i;
CREATE VIEW public.chaos_ground_view AS SELECT g.id, g.name FROM public.chaos_ground AS g;
CREATE TABLE public.chaos_ground_old (id integer);
"""

_GROUND_OBJECT = """(
    SELECT o.id
      FROM ONLY pggit.objects AS o
     WHERE o.object_type = 'TABLE'
       AND o.schema_name = 'public'
       AND o.object_name = 'chaos_ground'
       AND o.branch_name = 'main')"""

CORE: Final = (
    Operation(
        name="commit on main",
        statement="SELECT pggit.commit_changes('main'::text, 'a message'::text, NULL::text)",
        needs="commit_changes(text,text,text)",
    ),
    Operation(
        name="commit on a new branch",
        statement="SELECT pggit.commit_changes('chaos/new'::text, 'a message'::text, NULL::text)",
        needs="commit_changes(text,text,text)",
    ),
    Operation(
        name="create_commit",
        statement="SELECT pggit.create_commit('main'::text, 'a message'::text,"
        " 'SELECT 1'::text, NULL::uuid[])",
        needs="create_commit(text,text,text,uuid[])",
    ),
    Operation(
        name="create_branch",
        statement="SELECT pggit.create_branch('chaos/created'::text, 'main'::text, false)",
        needs="create_branch(text,text,boolean)",
    ),
    Operation(
        name="merge_branches",
        statement=f"SELECT pggit.merge_branches('{SOURCE_BRANCH}'::text, 'main'::text,"
        " 'a message'::text)",
        needs="merge_branches(text,text,text)",
    ),
    Operation(
        name="delete_branch_simple",
        statement=f"SELECT pggit.delete_branch_simple('{OLD_BRANCH}'::text)",
        needs="delete_branch_simple(text)",
    ),
    Operation(
        name="delete_branch",
        statement=f"SELECT * FROM pggit.delete_branch('{OLD_BRANCH}'::text, true)",  # noqa: S608 a constant
        needs="delete_branch(text,boolean)",
    ),
    Operation(
        name="create_data_branch",
        statement="SELECT pggit.create_data_branch('chaos_ground'::text, 'main'::text,"
        " 'chaos_data'::text)",
        needs="create_data_branch(text,text,text)",
    ),
    Operation(
        name="generate_trinity_id",
        statement="SELECT pggit.generate_trinity_id()",
        needs="generate_trinity_id()",
    ),
    Operation(
        name="increment_version",
        statement=f"SELECT pggit.increment_version({_GROUND_OBJECT}::integer,"
        " 'ALTER'::pggit.change_type, 'MINOR'::pggit.change_severity, 'a message'::text,"
        " NULL::jsonb, NULL::text)",
        needs="increment_version(integer,pggit.change_type,pggit.change_severity,text,jsonb,text)",
    ),
    Operation(
        name="get_version",
        statement="SELECT * FROM pggit.get_version('public.chaos_ground'::text)",
        needs="get_version(text)",
    ),
    Operation(
        name="calculate_schema_hash",
        statement="SELECT pggit.calculate_schema_hash('chaos_ground'::text)",
        needs="calculate_schema_hash(text)",
    ),
    Operation(
        name="CREATE TABLE",
        statement="CREATE TABLE public.chaos_new (id integer PRIMARY KEY, name text)",
    ),
    Operation(
        name="ALTER TABLE",
        statement="ALTER TABLE public.chaos_ground ADD COLUMN note text",
    ),
    Operation(
        name="CREATE INDEX",
        statement="CREATE INDEX chaos_ground_name ON public.chaos_ground (name)",
    ),
    Operation(
        name="CREATE VIEW",
        statement="CREATE VIEW public.chaos_new_view AS"
        " SELECT g.id, g.balance FROM public.chaos_ground AS g",
    ),
    Operation(name="DROP TABLE", statement="DROP TABLE public.chaos_ground_old"),
)
