"""The settings of the trainer: flags, or a TOML file of the same names, or those of the run to resume."""

import argparse
import json
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from examples.data.split import DataError
from examples.lab.files import atomic
from examples.lab.options import positive_int
from examples.trainer.calls import SpecError, parse

FILE = "settings.toml"  # In the folder of a run.
# What may differ when a run goes on.
FREE = {"config", "out", "resume", "steps", "log_every", "save_every", "data_dir"}


def spec(text: str) -> str:
    """An argparse type: a choice that can be parsed, in the one way to write it."""
    try:
        return str(parse(text))
    except SpecError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def number(smallest: float, *, open_: bool = False) -> Callable[[str], float]:
    """An argparse type: a finite number of at least, or if ``open_`` above, the smallest."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not (smallest < value < float("inf") or (value == smallest and not open_)):
            rule = f"> {smallest:g}" if open_ else f">= {smallest:g}"
            raise argparse.ArgumentTypeError(f"must be a number {rule}; got {text!r}")
        return value

    return convert


def pattern(text: str) -> str:
    """An argparse type: a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"must be a regular expression; got {text!r}: {error}") from error
    return text


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """The flags. Those of type :func:`spec` are calls, whose tables are elsewhere."""
    parser = argparse.ArgumentParser("python -m examples train", description=doc, allow_abbrev=False)
    add = parser.add_argument
    add("--config", metavar="FILE", help="TOML file with any of the settings below; flags override it")
    add("--data", type=spec, default="digits", metavar="CALL", help="default: %(default)s; see the end")
    add("--data-dir", metavar="DIR", help="folder of the data that are not made on the spot")
    add("--model", type=spec, metavar="CALL", help="default: the first for these data")
    add(
        "--batch", type=positive_int, default=32, metavar="N", help="examples per step (default: %(default)s)"
    )
    add("--optimizer", type=spec, default="radamw", metavar="CALL", help="default: %(default)s")
    add("--learning-rate", type=number(0), default=1e-3, metavar="X", help="peak (default: %(default)s)")
    add("--schedule", type=spec, default="constant", metavar="CALL", help="default: %(default)s")
    add("--decay-mask", type=pattern, metavar="REGEX", help="decay only the parameters whose path it finds")
    add("--clip-norm", type=number(0, open_=True), metavar="X", help="clip gradients to this global norm")
    add("--accumulate", type=positive_int, default=1, metavar="N", help="batches per update (default: 1)")
    precisions = ("float32", "bfloat16", "float16")
    add("--precision", choices=precisions, default="float32", help="of the computation; state is float32")
    add("--steps", type=positive_int, default=1000, metavar="N", help="updates (default: %(default)s)")
    add("--seed", type=positive_int, default=1, metavar="N", help="of weights and batches (default: 1)")
    add("--log-every", type=positive_int, default=50, metavar="N", help="steps per call (default: 50)")
    add("--save-every", type=positive_int, default=500, metavar="N", help="steps (default: 500)")
    add("--out", default="out/train", metavar="DIR", help="of checkpoints and logs (default: %(default)s)")
    add("--resume", action="store_true", help="go on with the run in --out, with its settings")
    return parser


def read(arguments: Sequence[str], parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The settings: those of the run to resume, then those of ``--config``, then flags.

    Raises:
      DataError: a file cannot be read, or has other settings than there are.
    """
    flags = parser.parse_args(arguments)
    files = [Path(flags.out) / FILE] if flags.resume else []
    files += [Path(flags.config)] if flags.config else []
    options = parser.parse_args([*(flag for file in files for flag in _flags(file, parser)), *arguments])
    if flags.resume:
        before = parser.parse_args(_flags(files[0], parser))
        for name in sorted(vars(options).keys() - FREE):
            if (old := getattr(before, name)) != (new := getattr(options, name)):
                flag = f"--{name.replace('_', '-')}"
                raise DataError(f"{files[0]}: the run cannot go on with another {flag}: {old}, now {new}")
    return options


def write(options: argparse.Namespace) -> None:
    """Keeps the settings for ``--resume``."""
    chosen = {
        k: v for k, v in vars(options).items() if k not in ("config", "out", "resume") and v is not None
    }
    # JSON's numbers and texts are TOML's.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in chosen.items()]
    with atomic(Path(options.out) / FILE) as partial:
        partial.write_text("".join(lines), "utf-8")


def _flags(file: Path, parser: argparse.ArgumentParser) -> list[str]:
    """The flags that say what a file says."""
    try:
        settings: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: not a TOML file: {error}") from error
    known = set(vars(parser.parse_args([]))) - {"config", "resume"}
    for name, value in settings.items():
        if name not in known:
            raise DataError(f"{file}: there is no setting {name!r}; there are {', '.join(sorted(known))}")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise DataError(f"{file}: {name} must be a number or a text; got {value!r}")
    return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
