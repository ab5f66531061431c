"""On a released pgGit: what is sound stays silent, and what is not is a promise that it breaks."""

from __future__ import annotations

import re

import pytest

from pggit_chaos.target import Target
from servers.fleet import ROOT

pytestmark = pytest.mark.one_version

PAGE = ROOT / "docs/reference/real-pggit.md"


@pytest.mark.parametrize("seed", [0, 1])
def test_no_sound_check_speaks_after_ordinary_work(real_pggit, seed):
    Target(real_pggit).furnish(seed, 25)
    found = real_pggit.execute("""
        SELECT f.check_id, f.message
          FROM pggit_chaos.fsck() AS f
          JOIN pggit_chaos.integrity_check AS c ON c.check_id = f.check_id
         WHERE c.sound""").fetchall()
    assert found == []


def test_every_promise_is_on_the_page_of_those_that_are_broken(conn):
    """Run: python docs/real_pggit.py --pggit-source DIR ..."""
    rows = conn.execute("SELECT check_id FROM pggit_chaos.integrity_check WHERE NOT sound")
    promises = {check for (check,) in rows}
    text = PAGE.read_text()
    (silent,) = re.findall(r"^No operation made these speak: (.*)\.$", text, re.MULTILINE)
    assert set(re.findall(r"^## (\w+)$", text, re.MULTILINE)) | set(silent.split(", ")) == promises
