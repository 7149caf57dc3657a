"""The settings of the sharded trainer: which of them make the run what it is, and what has to divide what."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any
from zlib import crc32

from jax.sharding import Mesh

from examples.data.split import DataError
from examples.data.text import Corpus
from examples.lab.options import at_least
from examples.lab.settings import Count, Folder, Switch, flag_of, from_text, plain
from examples.lab.settings import read as read_flags
from examples.models.decoder import FSDP
from examples.sharded.mesh import mesh_sizes
from examples.sharded.processes import ProcessSettings
from examples.trainer.calls import Call, one_of
from examples.trainer.optimizer import OPTIMIZERS, SPANNING, OptimizerSettings, takes_mask

DECAYED = re.compile("kernel|embedding")  # Of parameters, by path.
# What may differ between processes, and what when a run goes on.
OWN = {"out", "coordinator", "process_id", "devices", "timeout", "heartbeat", "quick"}
FREE = {"--steps", "--mesh", "--num-processes", "--log-every", "--save-every"}
QUICK = 50  # Steps.


@dataclass(frozen=True, kw_only=True)
class Settings(OptimizerSettings, ProcessSettings):
    """All that a run is made of, and who takes part in it."""

    optimizer: Annotated[Call, one_of(OPTIMIZERS, given=1)] = Call("radamw", {"weight_decay": 0.01})
    """a call of the catalogue, as in train"""
    learning_rate: Annotated[float, from_text(at_least(0), "X")] = 3e-3
    """peak"""
    accumulate: Count = 1
    """batches per step, one after the other"""
    steps: Count = 300
    """with --quick 50, unless given"""
    mesh: Annotated[dict[str, int], from_text(mesh_sizes, "data=N,fsdp=N")] | None = None
    """by default all devices on fsdp"""
    batch: Count = 16
    """texts per step, of all devices together"""
    length: Count = 128
    """words of a text"""
    layers: Count = 4
    """of the model"""
    width: Count = 128
    """of the model"""
    heads: Count = 4
    """of each attention"""
    vocabulary: Count = 1024
    """words to tell apart at most"""
    megabytes: Count = 4
    """how much text to read"""
    log_every: Count = 10
    """steps"""
    save_every: Count = 100
    """steps"""
    seed: Count = 1
    """of weights and batches"""
    out: Folder = Path("out/train_sharded")
    """of checkpoints and results"""
    quick: Switch = False
    """50 steps, unless given"""


def read(arguments: Sequence[str], doc: str | None) -> Settings:
    """The settings; ``--quick`` changes what was not given, and kernels decay where the optimizer can choose.

    Raises:
      DataError: a flag is not as it must be.
    """
    settings, given = read_flags(Settings, "train_sharded", doc, arguments)
    changes: dict[str, Any] = {}
    if settings.quick and "steps" not in given:
        changes["steps"] = QUICK
    if settings.decay_mask is None and takes_mask(settings.optimizer):
        changes["decay_mask"] = DECAYED
    return replace(settings, **changes)


def identity(settings: Settings, corpus: Corpus) -> dict[str, Any]:
    """All that the run depends on, in the types of JSON."""
    names = [field.name for field in fields(settings) if field.name not in OWN]
    chosen = {flag_of(name): plain(getattr(settings, name)) for name in names}
    return chosen | {"text (CRC-32)": crc32(corpus.train.tobytes())}


def free(settings: Settings) -> set[str]:
    """What may differ when a run goes on; the steps only where the learning rate does not depend on them."""
    return FREE - {"--steps"} if settings.schedule.name in SPANNING else FREE


def check(settings: Settings, mesh: Mesh, corpus: Corpus) -> None:
    """Raises DataError where something cannot be split evenly, or the text is too short."""
    most = min(len(corpus.train), len(corpus.held_out)) - 1
    if settings.length > most:
        raise DataError(
            f"--length: must be at most {most:,}, for the text has no more; got {settings.length}"
        )
    for name, by, what in (
        ("batch", mesh.size, "devices"),
        ("width", mesh.shape[FSDP], "devices on the mesh's axis fsdp"),
        ("width", settings.heads, "heads"),
    ):
        if (value := getattr(settings, name)) % by:
            raise DataError(f"--{name}: must be a multiple of the number of {what}, {by}; got {value}")
