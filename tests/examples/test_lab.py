"""What examples share: files that are whole or refused, times that can be read, Markdown."""

import re

import pytest

for package in ("matplotlib", "rich"):
    pytest.importorskip(package)

from examples.data.split import DataError
from examples.lab import console, files

COLUMNS = {"step": int, "loss": float}


def test_a_table_is_read_up_to_a_step(tmp_path):
    path = tmp_path / "new" / "curve.csv"
    files.write_csv(path, [*COLUMNS], [(1, 0.5), (2, 0.25), (3, 0.125)])
    assert files.read_csv(path, 2, COLUMNS) == [["1", "0.5"], ["2", "0.25"]]
    assert files.read_csv(path, 0, COLUMNS) == []
    assert files.read_csv(tmp_path / "none.csv", 2, COLUMNS) == []


@pytest.mark.parametrize(("content", "what"), [
    (b"step,loss\n1,0.5\nx,0.25\n", "line 3 has 'x' as step"),
    (b"step,loss\n1,0.5\n2,\n", "line 3 has '' as loss"),
    (b"step,loss\n1\n", "line 2 has 1 values, not 2"),
    (b"1,0.5\n", "its columns are not step, loss"),
    (b"", "its columns are not step, loss"),
    (b"step,loss\n1,\xff\n", "'utf-8' codec can't decode byte 0xff"),
])  # fmt: skip
def test_a_damaged_table_is_one_clear_line(content, what, tmp_path):
    path = tmp_path / "curve.csv"
    path.write_bytes(content)
    wanted = f"'{path}' is damaged: {what}"
    with pytest.raises(DataError, match=f"{re.escape(wanted)}.*; move it away to go on: the new one begins"):
        files.read_csv(path, 3, COLUMNS)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (65, "1:05"), (3605, "1:00:05")])
def test_times_are_minutes_and_seconds(seconds, text):
    assert console.clock(seconds) == text


def test_remaining_time_leaves_out_compilation(monkeypatch):
    now = iter([0.0, 60.0, 62.0, 70.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    pace = console._Pace(10)
    assert [pace(2), pace(4), pace(10)] == [
        "1:00 elapsed",
        "1/s, 1:02 elapsed, 0:06 left",
        "0.8/s, 1:10 elapsed",
    ]


def test_a_table_in_markdown_keeps_its_cells_apart():
    assert (
        files.markdown_table(("a|b", "n"), [("x", "1")], numbers=True)
        == "| a\\|b | n |\n| --- | --: |\n| x | 1 |\n"
    )
