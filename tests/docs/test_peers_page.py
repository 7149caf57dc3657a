"""The list of what goes wrong elsewhere names tests that exist, and all of those that show it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "peers.md").read_text("utf-8")
LISTED = re.findall(r"`(test_\w+)`", PAGE)


def defined_in(file: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", (ROOT / file).read_text("utf-8"), flags=re.MULTILINE))


def test_the_tests_of_the_list_are_there_and_all_of_them_are_listed():
    peers, others = re.findall(r"`(tests/library/\S+\.py)`", PAGE)
    assert len(set(LISTED)) == len(LISTED)
    assert defined_in(peers) <= set(LISTED) <= defined_in(peers) | defined_in(others)


def test_every_row_has_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 15
    assert all(re.search(r"`test_\w+` \|$", row) for row in rows)
