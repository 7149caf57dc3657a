"""The flags of the sharded trainer: which of them make the run what it is, and what has to divide what."""

import argparse
import inspect
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from jax.sharding import Mesh

from examples.data.split import DataError
from examples.data.text import Corpus
from examples.lab.options import output_folder, positive_int
from examples.models.decoder import FSDP
from examples.sharded import processes as _distributed
from examples.sharded.mesh import mesh_sizes
from examples.trainer import calls as _spec
from examples.trainer.optimizer import OPTIMIZERS
from examples.trainer.settings import number, pattern, spec

DECAYED = "kernel|embedding"  # Of parameters, by path.
# What may differ between processes, and what when a run goes on.
OWN = {"out", "coordinator", "process_id", "devices", "timeout", "heartbeat", "quick"}
FREE = {"--steps", "--mesh", "--num-processes", "--log-every", "--save-every"}


def parse(arguments: Sequence[str], doc: str | None) -> argparse.Namespace:
    """The options; ``--quick`` changes what was not given."""
    parser = argparse.ArgumentParser(
        "python -m examples train_sharded",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    sizes = {
        "batch": (16, "texts per step, of all devices together"),
        "accumulate": (1, "batches per step, one after the other"),
        "length": (128, "words of a text"),
        "layers": (4, "of the model"),
        "width": (128, "of the model"),
        "heads": (4, "of each attention"),
        "vocabulary": (1024, "words to tell apart at most"),
        "megabytes": (4, "how much text to read"),
        "log-every": (10, "steps"),
        "save-every": (100, "steps"),
        "seed": (1, "of weights and batches"),
    }
    add("--mesh", type=mesh_sizes, metavar="data=N,fsdp=N", help="default: all devices on fsdp")
    text = "a call of the catalogue, as in train (default: %(default)s)"
    add("--optimizer", type=spec, default="radamw(weight_decay=0.01)", metavar="CALL", help=text)
    add("--learning-rate", type=number(0), default=3e-3, metavar="X", help="peak (default: %(default)s)")
    add("--schedule", type=spec, default="constant", metavar="CALL", help="as in train; default: %(default)s")
    text = f"decay only the parameters whose path it finds (default: {DECAYED})"
    add("--decay-mask", type=pattern, metavar="REGEX", help=text)
    add("--clip-norm", type=number(0, open_=True), metavar="X", help="clip gradients to this global norm")
    add("--steps", type=positive_int, metavar="N", help="default: 300; --quick: 50")
    for name, (default, text) in sizes.items():
        text = f"{text} (default: {default})"
        add(f"--{name}", type=positive_int, default=default, metavar="N", help=text)
    add("--out", type=output_folder, default="out/train_sharded", metavar="DIR", help="default: %(default)s")
    add("--quick", action="store_true", help="50 steps, unless given")
    _distributed.add_options(parser)
    options = parser.parse_args(arguments)
    options.steps = options.steps or (50 if options.quick else 300)
    chosen = OPTIMIZERS.get(_spec.parse(options.optimizer).name)
    if chosen and "mask" in inspect.signature(chosen).parameters:
        options.decay_mask = options.decay_mask or DECAYED
    return options


def settings_of(options: argparse.Namespace, corpus: Corpus) -> dict[str, Any]:
    """All that the run depends on, in the types of JSON."""
    flags = {f"--{key.replace('_', '-')}": value for key, value in vars(options).items() if key not in OWN}
    return flags | {"text (CRC-32)": crc32(corpus.train.tobytes())}


def free(options: argparse.Namespace) -> set[str]:
    """What may differ when a run goes on; the steps only where the learning rate does not depend on them."""
    return FREE if options.schedule == "constant" else FREE - {"--steps"}


def check(options: argparse.Namespace, mesh: Mesh, corpus: Corpus) -> None:
    """Raises DataError where something cannot be split evenly, or the text is too short."""
    most = min(len(corpus.train), len(corpus.held_out)) - 1
    if options.length > most:
        raise DataError(f"--length: must be at most {most:,}, for the text has no more; got {options.length}")
    for name, by, what in (
        ("batch", mesh.size, "devices"),
        ("width", mesh.shape[FSDP], "devices on the mesh's axis fsdp"),
        ("width", options.heads, "heads"),
    ):
        if (value := getattr(options, name)) % by:
            raise DataError(f"--{name}: must be a multiple of the number of {what}, {by}; got {value}")
