"""Draws the pictures of studies anew, of what the studies have left, and copies them to the docs."""

import importlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from examples.data.split import DataError
from examples.lab.console import make_console
from examples.lab.options import Parser, output_folder
from examples.lab.pictures import draw_pictures

STUDIES = sorted(file.parent.name for file in Path(__file__).parent.glob("*/study.py"))
DOCS = Path(__file__).parents[2] / "docs"


def main(arguments: Sequence[str]) -> None:
    """Draws into the studies' folders, and copies to ``--docs``."""
    parser = Parser("python -m examples pictures", description=__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"of {', '.join(STUDIES)}; default: all")
    results = "where studies have written, each into its own folder (default: %(default)s)"
    parser.add_argument("--results", type=Path, default=Path("out"), metavar="DIR", help=results)
    docs = "where to copy the pictures (default: %(default)s)"
    parser.add_argument("--docs", type=output_folder, default=DOCS, metavar="DIR", help=docs)
    options = parser.parse_args(arguments)
    names = options.studies or STUDIES
    for name in names:
        if name not in STUDIES:
            parser.error(f"no study {name!r}; there are: {', '.join(STUDIES)}")
        if not (options.results / name / "summary.json").exists():
            folder = options.results / name
            raise DataError(f"{folder} has no results: python -m examples {name} --out {folder}")
    console = make_console()
    options.docs.mkdir(parents=True, exist_ok=True)
    for name in names:
        figures = importlib.import_module(f"examples.studies.{name}.figures")
        for path in draw_pictures(console, options.results / name, figures.PICTURES):
            shutil.copy(path, options.docs)
            console.print(f"{options.docs / path.name}, {path.stat().st_size / 1000:.0f} kB", soft_wrap=True)
