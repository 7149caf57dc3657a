"""The settings of the trainer: flags, or a TOML file of the same names, or those of the run to resume."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

from examples.data.split import DataError
from examples.lab.files import atomic
from examples.lab.settings import Count, Folder, Switch, flag_of, plain
from examples.lab.settings import read as read_flags
from examples.trainer.calls import CALL, Call
from examples.trainer.optimizer import SPANNING, OptimizerSettings

FILE = "settings.toml"  # In the folder of a run.
# What may differ when a run goes on; the steps only where the learning rate does not depend on them.
FREE = {"config", "out", "resume", "steps", "log_every", "save_every", "data_dir"}
OF_THE_COMMAND = {"config", "out", "resume"}  # Rather than of the run.


@dataclass(frozen=True, kw_only=True)
class Settings(OptimizerSettings):
    """All that a run is made of."""

    config: Path | None = None
    """TOML file with any of the settings here; flags override it"""
    data: Annotated[Call, CALL] = Call("digits")
    """see the end"""
    data_dir: Folder | None = None
    """of the data that are not made on the spot"""
    model: Annotated[Call, CALL] | None = None
    """by default the first for these data"""
    batch: Count = 32
    """examples per step"""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """of the computation; state is float32"""
    seed: Count = 1
    """of weights and batches"""
    log_every: Count = 50
    """steps per call"""
    save_every: Count = 500
    """steps"""
    out: Folder = Path("out/train")
    """of checkpoints and logs"""
    resume: Switch = False
    """go on with the run in --out, with its settings"""


def read(arguments: Sequence[str], doc: str | None, epilogue: str) -> Settings:
    """The settings: flags, then those of ``--config``, then those of the run to resume.

    Raises:
      DataError: a flag or a file is not as it must be, or the run would go on as another one.
    """
    asked, given = read_flags(Settings, "train", doc, arguments, epilogue=epilogue)
    if not asked.resume:
        return asked
    file = asked.out / FILE
    if not file.exists():
        raise DataError(f"--resume: there is no run in {asked.out}, since it has no {FILE}")
    before, _ = read_flags(Settings, "train", doc, [], file=file)
    free = FREE - {"steps"} if before.schedule.name in SPANNING else FREE
    for name in sorted(given - free):
        if (old := getattr(before, name)) != (new := getattr(asked, name)):
            change = f"{flag_of(name)}: {plain(old)}, now {plain(new)}"
            why = f"; its schedule, {before.schedule}, ends with it" if name == "steps" else ""
            raise DataError(f"{file}: the run cannot go on with another {change}{why}")
    return replace(before, **{name: getattr(asked, name) for name in given})


def write(settings: Settings) -> None:
    """Keeps the settings for ``--resume``."""
    names = [field.name for field in fields(settings) if field.name not in OF_THE_COMMAND]
    chosen = {name: plain(value) for name in names if (value := getattr(settings, name)) is not None}
    # JSON's numbers and texts are TOML's.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in chosen.items()]
    with atomic(settings.out / FILE) as partial:
        partial.write_text("".join(lines), "utf-8")
