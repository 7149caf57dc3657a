"""Holds the docstrings of all public names to their signatures, and shared arguments to one table of texts.

::

    python docs/docstrings.py                # writes, and says what only a person can write
    python docs/docstrings.py --check        # writes nothing
    python docs/docstrings.py FILE FOLDER    # only there

A text of ``docs/arguments.toml`` is known by its first words, those before the first punctuation mark. An
argument whose text begins with these words gets that text; one without text gets the only text that the table
has for its name. What the table does not name keeps the text that it has. Each entry ends with the default of
the signature.

The sources are read as text, nothing is imported. Of a docstring only ``Args:`` (of a named tuple,
``Attributes:``) is written.
"""

from __future__ import annotations

import argparse
import ast
import functools
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "arguments.toml"
WIDTH = 110
SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Example", "References")
# Each of these is somebody's: its docstring says whose.
WITH_SOURCE = ("_transforms.py", "_optimizers.py", "_successors.py", "presets")

Table = dict[str, list[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Parameter(NamedTuple):
    """A parameter of a function, or a field of a named tuple."""

    name: str  # With the stars of the signature.
    default: str | None  # As it is written there.


class Public(NamedTuple):
    """A function, method or class that users call or see."""

    name: str
    file: Path
    node: Function | ast.ClassDef
    parameters: list[Parameter]

    @property
    def section(self) -> str:
        return "Attributes" if _is_named_tuple(self.node) else "Args"


class Docstring(NamedTuple):
    """The lines of a docstring in its file, quotation marks included."""

    first: int
    lines: list[str]
    indent: str

    def sections(self) -> dict[str, tuple[int, int]]:
        """Where each begins, with its heading, and ends."""
        heading = re.compile(rf"{self.indent}({'|'.join(SECTIONS)}):$")
        heads = [(match[1], i) for i, line in enumerate(self.lines) if (match := heading.match(line))]
        ends = [*(i for _, i in heads), len(self.lines) - 1][1:]
        return {name: (i, end) for (name, i), end in zip(heads, ends, strict=True)}

    def content(self, section: str) -> list[str]:
        """Its lines, without the heading and the indentation."""
        start, end = self.sections().get(section, (-1, 0))
        return textwrap.dedent("\n".join(self.lines[start + 1 : end])).strip("\n").splitlines()


class Fault(NamedTuple):
    """What a person has to mend, and where."""

    file: Path
    line: int
    said: str

    def __str__(self) -> str:
        file = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        return f"{file}:{self.line}: {self.said}"


def table_of(file: Path) -> Table:
    """The allowed texts by argument, each without line breaks."""
    read = tomllib.loads(file.read_text("utf-8"))
    return {
        name: [" ".join(text.split()) for text in ([texts] if isinstance(texts, str) else texts)]
        for name, texts in read.items()
    }


def public(package: Path) -> Iterator[Public]:
    """What the ``__all__`` of the package and its public modules reach, each once."""
    seen = set()
    for door in (package / "__init__.py", *sorted(package.glob("[!_]*/__init__.py"))):
        for name in _exported(_tree(door)):
            found = _definition(package, door, name)
            if found and found not in seen:
                seen.add(found)
                yield from _documented(*found)


def text_of(name: str, text: str, table: Table) -> str | None:
    """The text that an argument is to have; None if the table allows others only."""
    allowed = table.get(name.strip("*"))
    if allowed is None:
        return text
    chosen = allowed if not text else [one for one in allowed if _key(one) == _key(text)]
    return chosen[0] if len(chosen) == 1 else None


def written(thing: Public, docstring: Docstring, table: Table) -> list[str]:
    """The lines of the docstring with the texts of the table and the defaults of the signature."""
    texts = _texts(docstring, thing.section)
    if not thing.parameters and not texts:
        return docstring.lines
    entries = []
    for name, default in thing.parameters:
        had = texts.pop(name, "")
        text = text_of(name, had, table) or had
        entries += _entry(name, text, default, docstring.indent)
    for name, text in texts.items():
        entries += _entry(name, text, None, docstring.indent)
    return _with_section(docstring, thing.section, entries)


def faults(thing: Public, table: Table) -> Iterator[Fault]:
    """What is wrong with one docstring."""
    docstring = docstring_of(thing)
    if docstring is None:
        yield Fault(thing.file, thing.node.lineno, f"{thing.name} has no docstring")
        return

    def fault(said: str) -> Fault:
        return Fault(thing.file, docstring.first, f"{thing.name}: {said}")

    texts = _texts(docstring, thing.section)
    names = [name for name, _ in thing.parameters]
    for name in (name for name in names if not texts.get(name)):
        yield fault(f"`{name}` has no text")
    if list(texts) != [name for name in names if name in texts]:
        yield fault(f"{thing.section} has {', '.join(texts)}; the signature has {', '.join(names)}")
    for name, text in texts.items():
        if text and text_of(name, text, table) is None:
            begun = "; ".join(repr(_key(one)) for one in table[name.strip("*")])
            yield fault(f"the text of `{name}` must begin as one in the table: {begun}; got {_key(text)!r}")
        if re.search(r"\b(see|as) there\b|\bhead of this module\b", text):
            yield fault(f"the text of `{name}` sends its reader elsewhere")
    if written(thing, docstring, table) != docstring.lines:
        yield fault(f"{thing.section} differs from the table or the defaults; run python docs/docstrings.py")
    yield from map(fault, _faults_of_sections(thing, docstring))


def all_faults(package: Path, table: Table) -> list[Fault]:
    """Of all docstrings, and of the table."""
    things = list(public(package))
    found = [fault for thing in things for fault in faults(thing, table)]
    used = {(name.strip("*"), _key(text)) for thing in things for name, text in _all_texts(thing)}
    for name, texts in table.items():
        keys = [_key(text) for text in texts]
        for key in keys:
            if keys.count(key) > 1:
                found.append(Fault(TABLE, 1, f"two texts of `{name}` begin with {key!r}"))
            if (name, key) not in used:
                found.append(
                    Fault(TABLE, 1, f"no docstring has the text of `{name}` that begins with {key!r}")
                )
    return found


def write(things: Iterable[Public], table: Table) -> None:
    """Writes docstrings, the last of a file first, so that lines keep their numbers."""
    for thing in sorted(things, key=lambda thing: thing.node.lineno, reverse=True):
        docstring = docstring_of(thing)
        if docstring and (new := written(thing, docstring, table)) != docstring.lines:
            lines = list(_lines(thing.file))
            lines[docstring.first - 1 : docstring.first - 1 + len(docstring.lines)] = new
            thing.file.write_text("\n".join(lines) + "\n", "utf-8")


def _faults_of_sections(thing: Public, docstring: Docstring) -> Iterator[str]:
    found = docstring.sections()
    if [name for name in SECTIONS if name in found] != list(found):
        yield f"sections must come in the order {', '.join(SECTIONS)}; got {', '.join(found)}"
    for line in docstring.lines:
        if re.match(rf"{docstring.indent}({'|'.join(SECTIONS)}|Source|Yields|Note): ?\S", line):
            yield f"a section has its heading for itself, and Source is References; got {line.strip()!r}"
    for section in sorted(_due(thing)):
        if not docstring.content(section):
            yield f"{section} is missing"
    if "Example" in found and not any(line.startswith(">>> ") for line in docstring.content("Example")):
        yield "Example must be a doctest, with >>>"
    if "References" in found and "https://" not in "\n".join(docstring.content("References")):
        yield "References must have a link, https://"


def _due(thing: Public) -> set[str]:
    """The sections that something of its kind has."""
    node, due = thing.node, set()
    if isinstance(node, ast.ClassDef):
        return {"Example"} if thing.section == "Args" and thing.parameters else due
    if node.returns is not None and ast.unparse(node.returns) != "None" and not _is_property(node):
        due.add("Returns")
    if "." not in thing.name:
        due.add("Example")
        if {thing.file.name, thing.file.parent.name} & set(WITH_SOURCE):
            due.add("References")
    return due


def _documented(file: Path, name: str) -> Iterator[Public]:
    """A definition and, of a class, its public methods and properties."""
    node = _defined(_tree(file))[name]
    source = _lines(file)
    if isinstance(node, ast.ClassDef):
        methods = {each.name: each for each in node.body if isinstance(each, Function)}
        if _is_named_tuple(node):
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            parameters = [
                Parameter(ast.unparse(each.target), _as_written(each.value, source)) for each in fields
            ]
        else:
            parameters = _parameters(methods["__init__"], source, True) if "__init__" in methods else []
        yield Public(name, file, node, parameters)
        for method, each in methods.items():
            if not method.startswith("_"):
                yield Public(f"{name}.{method}", file, each, _parameters(each, source, True))
    else:
        yield Public(name, file, node, _parameters(node, source, False))


def _parameters(node: Function, source: list[str], method: bool) -> list[Parameter]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    found = [*zip((each.arg for each in positional), defaults, strict=True)][1 if method else 0 :]
    if arguments.vararg:
        found.append((f"*{arguments.vararg.arg}", None))
    found += zip((each.arg for each in arguments.kwonlyargs), arguments.kw_defaults, strict=True)
    if arguments.kwarg:
        found.append((f"**{arguments.kwarg.arg}", None))
    return [Parameter(name, _as_written(value, source)) for name, value in found]


def _as_written(node: ast.expr | None, source: list[str]) -> str | None:
    """An expression as it stands in a file, be it over several lines."""
    if node is None or node.end_lineno is None:
        return None
    lines = [line.encode() for line in source[node.lineno - 1 : node.end_lineno]]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b" ".join(map(bytes.strip, lines)).decode()


def docstring_of(thing: Public) -> Docstring | None:
    if ast.get_docstring(thing.node, clean=False) is None:
        return None
    text = thing.node.body[0]
    lines = _lines(thing.file)[text.lineno - 1 : text.end_lineno]
    return Docstring(text.lineno, lines, " " * text.col_offset)


def _texts(docstring: Docstring, section: str) -> dict[str, str]:
    """The text of each entry without its default: one line, unless it has paragraphs."""
    entries, name = {}, None
    for line in docstring.content(section):
        if match := re.match(r"(\*{0,2}\w+):(?: |$)(.*)", line):
            name = match[1]
            entries[name] = [match[2]]
        elif name:
            entries[name].append(line)
    return {name: _without_default(_joined(lines)) for name, lines in entries.items()}


def _all_texts(thing: Public) -> Iterator[tuple[str, str]]:
    docstring = docstring_of(thing)
    yield from _texts(docstring, thing.section).items() if docstring else ()


def _joined(lines: list[str]) -> str:
    text = "\n".join(line.removeprefix("  ") for line in lines).strip()
    return text if "\n\n" in text else " ".join(text.split())


def _without_default(text: str) -> str:
    return re.sub(r"(^|\s+)Default: [^\n]*\.$", "", text)


def _entry(name: str, text: str, default: str | None, indent: str) -> list[str]:
    """The lines of an entry; inline code is not broken."""
    paragraphs = "\n\n" in text
    ending = f"Default: {' '.join(default.split())}." if default is not None else ""
    if paragraphs:
        first, *others = f"{name}: {text}\n\n{ending}".rstrip().splitlines()
        return [f"{indent}  {first}", *(f"{indent}    {line}" if line else "" for line in others)]
    whole = re.sub(
        r"``.*?``|Default: .*$", lambda code: code[0].replace(" ", "\0"), f"{text} {ending}".strip()
    )
    wrapped = textwrap.wrap(
        f"{name}: {whole}", WIDTH, break_long_words=False, break_on_hyphens=False,
        initial_indent=f"{indent}  ", subsequent_indent=f"{indent}    ",
    )  # fmt: skip
    return [line.replace("\0", " ") for line in wrapped]


def _with_section(docstring: Docstring, section: str, entries: list[str]) -> list[str]:
    """The docstring with these entries, where the section is or belongs."""
    lines, indent = list(docstring.lines), docstring.indent
    if lines[-1].strip() != '"""':
        lines[-1:] = [lines[-1].removesuffix('"""'), f'{indent}"""']
    found = docstring.sections()
    later = [name for name in SECTIONS[SECTIONS.index(section) :] if name in found]
    start, end = found.get(section) or ([found[later[0]][0]] * 2 if later else [len(lines) - 1] * 2)
    before = [""] if lines[start - 1].strip() else []
    after = [""] if end < len(lines) - 1 else []
    return [*lines[:start], *before, f"{indent}{section}:", *entries, *after, *lines[end:]]


def _key(text: str) -> str:
    """The first words, up to a punctuation mark."""
    return re.split(r"[,;:.(]", " ".join(text.split()), maxsplit=1)[0].strip()


@functools.lru_cache(None)
def _read(file: Path, changed: int) -> tuple[list[str], ast.Module]:
    del changed
    text = file.read_text("utf-8")
    return text.splitlines(), ast.parse(text)


def _lines(file: Path) -> list[str]:
    return _read(file, file.stat().st_mtime_ns)[0]


def _tree(file: Path) -> ast.Module:
    return _read(file, file.stat().st_mtime_ns)[1]


def _exported(tree: ast.Module) -> list[str]:
    lists = [
        each.value for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__all__"
    ]  # fmt: skip
    return ast.literal_eval(lists[0]) if lists else []


def _defined(tree: ast.Module) -> dict[str, Function | ast.ClassDef]:
    return {each.name: each for each in tree.body if isinstance(each, Function | ast.ClassDef)}


def _definition(package: Path, file: Path, name: str) -> tuple[Path, str] | None:
    """The file and the name of a definition; None of a module, a value, and what is another package's."""
    if name in _defined(_tree(file)):
        return file, name
    for each in ast.walk(_tree(file)):
        if isinstance(each, ast.ImportFrom) and each.module:
            origins = {alias.asname or alias.name: alias.name for alias in each.names}
            source = package.parent.joinpath(*each.module.split("."))
            files = [source.with_suffix(".py"), source / "__init__.py"]
            found = next((one for one in files if one.exists() and one != file), None)
            if name in origins and found:
                return _definition(package, found, origins[name])
    return None


def _is_named_tuple(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and "NamedTuple" in map(ast.unparse, node.bases)


def _is_property(node: Function) -> bool:
    return "property" in map(ast.unparse, node.decorator_list)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("docstrings", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where it would")
    parser.add_argument(
        "places", nargs="*", type=Path, help="files and folders; without any, the whole package"
    )
    options = parser.parse_args(arguments)
    package, table = ROOT / "radam_optax", table_of(TABLE)
    places = [place.resolve() for place in options.places] or [ROOT]

    def things() -> list[Public]:
        return [thing for thing in public(package) if any(map(thing.file.is_relative_to, places))]

    if not options.check:
        write(things(), table)
    found = [fault for fault in all_faults(package, table) if any(map(fault.file.is_relative_to, places))]
    print(*found, sep="\n", end="\n" * bool(found))
    without = sum(fault.said.endswith("has no text") for fault in found)
    total = sum(len(thing.parameters) for thing in things())
    print(f"{len(found)} faults; {without} of {total} parameters of {len(things())} names without text")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
