"""What training in fewer bytes loses, beside packages of PyTorch that do it: Adam on one stream of gradients.

The gradients are the same for everybody, whatever the parameters are: noise about a mean, bfloat16, of sizes
that range over four decades from parameter to parameter. So each run is measured by where Adam in float64
goes: by the distance of the parameters that a model would see, in percent of the way (root of the mean square
over all parameters), and by that of the worst of a hundred. Bytes are those held per parameter: parameter,
gradient and state.
"""

import argparse
import contextlib
import importlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
from matplotlib.figure import Figure

import radam_optax as rx
from benchmarks.frame.benchmark import Benchmark
from examples.lab.options import positive_int
from examples.lab.style import CONTEXT, INDIGO, plain_log, sheet

RATE, B1, B2, EPS = 1e-4, 0.9, 0.999, 1e-8
Gradients = Callable[[int], np.ndarray]  # Of the number of a step.


class Held(NamedTuple):
    """What a run ends with: the parameters, and bytes per parameter."""

    params: np.ndarray
    bytes: float


def stream(side: int) -> tuple[np.ndarray, Gradients]:
    """First parameters and the gradients, in bfloat16."""
    rng = np.random.default_rng(0)
    start = 0.02 * rng.standard_normal((side, side))
    size = 10 ** rng.uniform(-4, 0, (side, side))

    def gradients(step):
        noise = np.random.default_rng((1, step)).standard_normal((side, side))
        return (size * (0.3 + noise)).astype(ml_dtypes.bfloat16)

    return start.astype(ml_dtypes.bfloat16), gradients


def in_float64(start: np.ndarray, gradients: Gradients, steps: int) -> np.ndarray:
    """Where Adam goes."""
    p = start.astype("float64")
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        g = gradients(t).astype("float64")
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
        p -= RATE * (m / (1 - B1**t)) / (np.sqrt(v / (1 - B2**t)) + EPS)
    return p


def ours(optimizer: optax.GradientTransformation, start: Any, gradients: Gradients, steps: int) -> Held:
    """In JAX, with parameters in the dtype of ``start``."""

    @jax.jit
    def step(params, state, gradients):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    params = jnp.asarray(start)
    state = optimizer.init(params)
    for t in range(1, steps + 1):
        params, state = step(params, state, jnp.asarray(gradients(t), params.dtype))
    held = sum(x.nbytes for x in jax.tree.leaves((params, params, state)))
    return Held(np.asarray(params, "float64"), held / params.size)


def of_torch(make: Callable[..., Any], start: np.ndarray, gradients: Gradients, steps: int) -> Held:
    """In PyTorch, with parameters in bfloat16."""
    import torch

    def tensor(x):
        return torch.from_numpy(x.astype("float32")).to(torch.bfloat16)

    p = torch.nn.Parameter(tensor(start))
    optimizer = make([p])
    for t in range(1, steps + 1):
        p.grad = tensor(gradients(t))
        optimizer.step()
    state = sum(map(_nbytes, optimizer.state.values()))
    return Held(p.detach().double().numpy(), (2 * p.nbytes + state) / p.numel())


def _nbytes(x: Any) -> int:
    """Of all tensors in a state, torchao's as they are kept."""
    if hasattr(x, "codes"):
        return x.codes.nbytes + x.scale.nbytes
    if isinstance(x, Mapping):
        return sum(map(_nbytes, x.values()))
    if isinstance(x, list | tuple):
        return sum(map(_nbytes, x))
    return getattr(x, "nbytes", 0)


def competitors() -> Iterator[tuple[str, str, Callable[..., Held]]]:
    """Name, the package that it needs, and the run."""
    adam, codecs = rx.adam(RATE, B1, B2, EPS), rx.codecs
    float8, int8 = codecs.float8_stochastic(), codecs.int8_blockwise()
    compensated, stochastic = codecs.bfloat16_compensated(), codecs.bfloat16_stochastic()
    for name, dtype, optimizer in (
        ("float32", jnp.float32, adam),
        ("bfloat16 alone", jnp.bfloat16, adam),
        ("bfloat16_compensated", jnp.bfloat16, rx.compress_params(adam, compensated)),
        (
            "bfloat16_compensated, int8_blockwise",
            jnp.bfloat16,
            rx.compress_params(rx.compress_state(adam, int8), compensated),
        ),
        (
            "bfloat16_compensated, float8_stochastic",
            jnp.bfloat16,
            rx.compress_params(rx.compress_state(adam, float8), compensated),
        ),
        (
            "bfloat16_stochastic, float8_stochastic",
            jnp.bfloat16,
            rx.compress_params(rx.compress_state(adam, float8), stochastic),
        ),
    ):

        def run(start, gradients, steps, optimizer=optimizer, dtype=dtype):
            return ours(optimizer, start.astype(dtype), gradients, steps)

        yield f"radam_optax, {name}", "jax", run
    settings = {"lr": RATE, "betas": (B1, B2), "eps": EPS, "weight_decay": 0.0}
    for name, package, path, more in (
        ("torch Adam, bfloat16 alone", "torch", "torch.optim.Adam", {}),
        (
            "torchao 8 bits, rounded at random",
            "torchao",
            "torchao.optim.Adam8bit",
            {"bf16_stochastic_round": True},
        ),
        (
            "torchao 4 bits, rounded at random",
            "torchao",
            "torchao.optim.Adam4bit",
            {"bf16_stochastic_round": True},
        ),
        (
            "heavyball, all in bfloat16 + 8 bits",
            "heavyball",
            "heavyball.AdamW",
            {"ecc": "bf16+8", "param_ecc": "bf16+8"},
        ),
    ):

        def run_torch(start, gradients, steps, path=path, more=more):
            module, _, name = path.rpartition(".")
            factory = getattr(importlib.import_module(module), name)
            return of_torch(lambda params: factory(params, **settings, **more), start, gradients, steps)

        yield name, package, run_torch


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what PyTorch and its packages say of themselves."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Distance over bytes, a dot each with its name."""
    figure, panel = sheet(
        "How far fewer bytes of state lead from the way of float64",
        "Distance to float64 in % of the way, over bytes held per parameter; colored: this package",
        5.0,
    )  # fmt: skip
    for row in rows:
        colour = INDIGO if row["competitor"].startswith("radam_optax") else CONTEXT
        panel.plot(row["bytes_per_parameter"], row["percent"], "o", color=colour)
        panel.annotate(
            row["competitor"], (row["bytes_per_parameter"], row["percent"]),
            xytext=(8, 0), textcoords="offset points", color=colour, va="center",
        )  # fmt: skip
    panel.set(yscale="log", xlabel="bytes per parameter", xlim=(4, 24))
    plain_log(panel.yaxis, 1, 3)
    return figure


def main(arguments: Sequence[str]) -> None:
    """Runs all; prints the distances, writes ``low_bit.json`` and ``low_bit.png``."""

    def add_options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--steps", type=positive_int, default=1000, metavar="N", help="of each run (default: %(default)s)"
        )

    bench = Benchmark("low_bit", __doc__, arguments, add_options)
    side, steps = (64, 30) if bench.options.quick else (256, bench.options.steps)
    start, gradients = stream(side)
    exact = in_float64(start, gradients, steps)
    way = np.sqrt(np.mean((exact - start.astype("float64")) ** 2))
    for name, package, run in competitors():
        if importlib.util.find_spec(package) is None:
            bench.note(f"Left out, for want of {package}: {name}.")
            continue
        try:
            with quiet():
                held = run(start, gradients, steps)
        except Exception as error:  # What does not work is said, not hidden.
            bench.note(
                f"{name} does not run here: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
            )
            continue
        away = np.abs(held.params - exact) / way
        bench.rows.append(
            {
                "competitor": name,
                "bytes_per_parameter": held.bytes,
                "percent": float(100 * np.sqrt(np.mean(away**2))),
                "percent_worst_of_100": float(100 * np.quantile(away, 0.99)),
            }
        )
        bench.save()
    bench.table(
        f"Distance to Adam in float64 after {steps} steps of {RATE}, {side * side} parameters",
        ("competitor", "bytes", "% of the way", "worst of 100"),
        [
            (
                row["competitor"],
                f"{row['bytes_per_parameter']:.2f}",
                f"{row['percent']:.2f}",
                f"{row['percent_worst_of_100']:.2f}",
            )
            for row in bench.rows
        ],
    )
    bench.finish(lambda: draw(bench.rows))
