"""The code keeps to the rooms that docs/architecture.md draws."""

import ast
import graphlib
import itertools
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PACKAGES = ("radam_optax", "examples", "benchmarks")
OUTSIDE = ("tests",)

Pairs = set[tuple[str, str]]


def drawn(page: str) -> tuple[dict[str, str], Pairs]:
    """The room of each file and folder of the drawing, and its arrows."""
    rooms, arrows, package = {}, set(), ""
    for line in page.partition("```mermaid\n")[2].partition("```")[0].splitlines():
        if match := re.fullmatch(r"\s*(?:subgraph (\w+)|end)", line):
            package = match[1] or ""
        for room, label in re.findall(r'(\w+)\["(.*?)"\]', line):
            paths = re.findall(r"\w+\.py|\w+(?=/(?:<|$| ))", label)
            rooms |= {".".join(filter(None, (package, path.removesuffix(".py")))): room for path in paths}
        source, _, targets = re.sub(r"\[.*?\]", "", line).partition(" --> ")
        arrows |= {(source.strip(), target) for target in re.findall(r"\w+", targets)}
    return rooms, arrows


def modules() -> dict[str, Path]:
    """The files by name; a package's own is its ``__init__``."""
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


def imports(files: dict[str, Path]) -> Pairs:
    """Which module imports which of them, and of the tests."""
    found = set()
    for module, file in files.items():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                parts = name.split(".")
                if parts[0] in (*PACKAGES, *OUTSIDE):
                    places = (".".join(parts[:i]) for i in range(len(parts), 0, -1))
                    choices = [[place, f"{place}.__init__"] for place in places]
                    there = (one for one in itertools.chain(*choices) if one in files)
                    found.add((module, next(there, name)))
    return found


def room_of(module: str, rooms: dict[str, str]) -> str | None:
    """The room of a module: its file's, or that of its nearest folder."""
    parts = module.split(".")
    places = (".".join(parts[:i]) for i in range(len(parts), 0, -1))
    return next((rooms[place] for place in places if place in rooms), None)


def reached(room: str, arrows: Pairs) -> set[str]:
    """The room and all to which its arrows lead."""
    return {room}.union(*(reached(target, arrows) for source, target in arrows if source == room))


def faults(rooms: dict[str, str], arrows: Pairs, files: Iterable[str], found: Pairs) -> list[str]:
    """What the code and the drawing say differently, a sentence each."""
    said = [f"{module} stands in no room" for module in files if not room_of(module, rooms)]
    used = set()
    for module, target in sorted(found):
        source, aim = room_of(module, rooms), room_of(target, rooms)
        used.add((source, aim))
        package = module.partition(".")[0]
        if aim is None or source is None or aim not in reached(source, arrows):
            said.append(f"{module} imports {target}, and no arrow leads from {source} to {aim}")
        elif not target.startswith(package) and re.search(r"\._(?!_)", target):
            said.append(f"{module} imports {target}, which is private")
    return said + [f"the arrow from {a} to {b} is no import" for a, b in sorted(arrows - used)]


def test_the_code_keeps_to_the_drawing():
    files = modules()
    said = faults(*drawn(PAGE), files, imports(files))
    assert not said, "\n".join(said)


def test_no_import_leads_back():
    rooms, arrows = drawn(PAGE)
    for pairs in (arrows, imports(modules())):
        order = graphlib.TopologicalSorter()
        for source, target in pairs:
            order.add(source, target)
        order.prepare()  # An error that names the circle, if there is one.
    assert set(rooms.values()) == {room for pair in arrows for room in pair}


@pytest.mark.parametrize(("module", "target", "fault"), [
    ("radam_optax._core.leaves", "radam_optax._rates", "no arrow leads from core to algebra"),
    ("radam_optax._moments", "radam_optax._optimizers", "no arrow leads from algebra to catalogue"),
    ("radam_optax._optimizers", "radam_optax.presets._torch", "no arrow leads from catalogue to presets"),
    ("radam_optax.codecs._codec", "radam_optax._moments", "no arrow leads from codecs to algebra"),
    ("radam_optax.sharding._zero", "radam_optax.checkpoint", "no arrow leads from sharding to checkpoint"),
    ("radam_optax.presets._torch", "radam_optax.__init__", "no arrow leads from presets to door"),
    ("radam_optax._monitor", "examples.lab.study", "no arrow leads from algebra to lab"),
    ("examples.lab.study", "benchmarks.frame.figure", "no arrow leads from lab to frame"),
    ("examples.lab.study", "tests.support.oracle", "no arrow leads from lab to None"),
    ("examples.start.resume", "examples.lab.files", "no arrow leads from start to lab"),
    ("examples.lab.study", "radam_optax._numerics", "is private"),
    ("radam_optax._new", "radam_optax._rates", "no arrow leads from None to algebra"),
])  # fmt: skip
def test_what_breaks_the_rule_is_said(module, target, fault):
    rooms, arrows = drawn(PAGE)
    said = faults(rooms, arrows, [module], {(module, target)})
    assert any(one.startswith(module) and fault in one for one in said)


def test_a_file_without_a_room_and_an_arrow_without_an_import_are_said():
    rooms, arrows = drawn(PAGE)
    assert "radam_optax._new stands in no room" in faults(rooms, arrows, ["radam_optax._new"], set())
    assert "the arrow from codecs to core is no import" in faults(rooms, arrows, [], set())


def test_what_the_page_names_is_there():
    paths = re.findall(r"`([\w./]+/[\w.]*|[A-Z]+\.md)`", PAGE)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []
