"""How far r_t and the whole update of RAdam in float32 are from exact arithmetic, beside optax and PyTorch.

The oracle is the paper's algorithm in mpmath: r_t in 60 digits, the update in 30. r_t of peers is their
formula in float32; PyTorch's is that of ``capturable=True`` (compiled and on GPUs), by default it computes
r_t in Python's float64. Whole updates are the packages' own, with eps = 0, so that where eps stands does
not matter.
"""

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
from matplotlib.figure import Figure

import radam_optax as rx
from benchmarks.frame.benchmark import Benchmark
from benchmarks.frame.figure import MARKS
from benchmarks.subjects.peers import OPTAX, OURS
from examples.lab.options import positive_int
from examples.lab.style import plain_log, sheet

B2 = (0.9, 0.99, 0.999, 0.9999, 0.99999)
QUICK_B2 = (0.99, 0.999, 0.99999)
B1 = 0.9
KINDS = ("constant", "normal", "falling", "spikes")
SIZE = 4  # Elements of a gradient of each kind.
TORCH, CAPTURABLE = "PyTorch", "PyTorch capturable"
THRESHOLD = 5

Curve = np.ndarray  # Of one figure per step, shape=(steps,), float64.


class Rectifier(NamedTuple):
    """r_t, 0 where RAdam is not rectified, and whether it is."""

    r: Curve
    adaptive: np.ndarray


def exact_rectifier(b2: float, steps: int) -> tuple[list[Any], np.ndarray]:
    """In 60 digits, as numbers of mpmath."""
    values, adaptive = [], []
    with mpmath.workdps(60):
        b = mpmath.mpf(b2)
        inf = 2 / (1 - b) - 1
        for t in range(1, steps + 1):
            rho = inf - 2 * t * b**t / (1 - b**t)
            adaptive.append(bool(rho > THRESHOLD))
            square = (rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho)
            values.append(mpmath.sqrt(square) if adaptive[-1] else mpmath.mpf(0))
    return values, np.array(adaptive)


def our_rectifier(b2: float, steps: int) -> Rectifier:
    """:func:`radam_optax.rectification`."""
    rho, r = jax.jit(jax.vmap(lambda t: rx.rectification(b2, t)))(jnp.arange(1, steps + 1))
    return Rectifier(np.asarray(r, np.float64), np.asarray(rho) > THRESHOLD)


def optax_rectifier(b2: float, steps: int) -> Rectifier:
    """As ``optax.scale_by_radam`` computes it from its int32 count."""
    inf = 2.0 / (1.0 - b2) - 1.0

    @jax.jit
    @jax.vmap
    def formula(t):
        power = b2**t
        rho = inf - 2 * t * power / (1 - power)
        r = jnp.sqrt((rho - 4.0) * (rho - 2.0) * inf / ((inf - 4.0) * (inf - 2.0) * rho))
        return r, rho >= THRESHOLD

    r, adaptive = formula(jnp.arange(1, steps + 1))
    return Rectifier(np.asarray(r, np.float64), np.asarray(adaptive))


def capturable_rectifier(b2: float, steps: int) -> Rectifier:
    """As ``torch.optim.RAdam(capturable=True)`` computes it from its float32 step."""
    t = np.arange(1, steps + 1, dtype=np.float32)
    inf = np.float32(2 / (1 - b2) - 1)
    power = np.float32(b2) ** t
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = inf - 2 * t * power / (1 - power)
        r = ((rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho)) ** np.float32(0.5)
    return Rectifier(r.astype(np.float64), rho > THRESHOLD)


RECTIFIERS: dict[str, Callable[[float, int], Rectifier]] = {
    OURS: our_rectifier,
    OPTAX: optax_rectifier,
    CAPTURABLE: capturable_rectifier,
}


def gradients(steps: int) -> np.ndarray:
    """float32, shape=(steps, len(KINDS) * SIZE): side by side, since no element knows of another."""
    noise = np.random.default_rng(0).standard_normal((steps, SIZE)).astype(np.float32)
    t = np.arange(1, steps + 1, dtype=np.float32)[:, None]
    kinds = {
        "constant": np.ones_like(noise),
        "normal": noise,
        "falling": noise / t,
        "spikes": noise * np.where(t % 100 == 10, np.float32(1e4), np.float32(1)),
    }
    return np.concatenate([kinds[kind] for kind in KINDS], axis=1)


def exact_updates(gradients: np.ndarray, r: Sequence[Any], adaptive: np.ndarray, b2: float) -> np.ndarray:
    """Algorithm 2 of Liu et al. (2020) in 30 digits, without learning rate; rounded to float64."""
    result = np.zeros(gradients.shape)
    with mpmath.workdps(30):
        b1, b2 = mpmath.mpf(B1), mpmath.mpf(b2)
        m = v = np.full(gradients.shape[1], mpmath.mpf(0))
        for i, g in enumerate(gradients):
            g = np.array([mpmath.mpf(float(x)) for x in g])
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            update = m / (1 - b1 ** (i + 1))
            if adaptive[i]:
                weight = 1 - b2 ** (i + 1)
                update = r[i] * update / np.array([mpmath.sqrt(x / weight) for x in v])
            result[i] = update.astype(float)
    return result


def jax_updates(package: Any, gradients: np.ndarray, b2: float) -> np.ndarray:
    """Of ``scale_by_radam``, compiled, float32."""
    tx = package.scale_by_radam(b1=B1, b2=b2, eps=0.0)

    def step(state, g):
        updates, state = tx.update(g, state)
        return state, updates

    return np.asarray(jax.jit(lambda g: jax.lax.scan(step, tx.init(g[0]), g)[1])(gradients), np.float64)


def torch_updates(gradients: np.ndarray, b2: float, *, capturable: bool) -> np.ndarray:
    """Of ``torch.optim.RAdam``, float32: the steps of parameters that are zero before each.

    On a CPU PyTorch takes the capturable formula only when compiled; the backend "eager" runs its
    operations one by one, as they stand.
    """
    import torch

    from benchmarks.timing.torch_step import compiled

    param = torch.nn.Parameter(torch.zeros(gradients.shape[1]))
    optimizer = torch.optim.RAdam([param], lr=1.0, betas=(B1, b2), eps=0.0, capturable=capturable)
    param.grad = torch.tensor(gradients[0])
    step = compiled(optimizer.step, backend="eager") if capturable else optimizer.step
    if not capturable:
        step()
    result = np.zeros(gradients.shape)
    result[0] = -param.detach().numpy()
    for i, g in enumerate(torch.from_numpy(gradients[1:]), 1):
        param.data.zero_()
        param.grad.copy_(g)
        step()
        result[i] = -param.detach().numpy()
    return result


def main(arguments: Sequence[str]) -> None:
    def add_options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--steps", type=positive_int, metavar="N", help="default: 3000, --quick: 30")

    bench = Benchmark("numerics", __doc__, arguments, add_options)
    steps = bench.options.steps or (30 if bench.options.quick else 3000)
    averages = QUICK_B2 if bench.options.quick else B2
    g = gradients(steps)
    curves: dict[float, dict[str, Curve]] = {}
    packages: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
        OURS: lambda g, b2: jax_updates(rx, g, b2),
        OPTAX: lambda g, b2: jax_updates(optax, g, b2),
    }
    if importlib.util.find_spec("torch"):
        packages |= {
            TORCH: lambda g, b2: torch_updates(g, b2, capturable=False),
            CAPTURABLE: lambda g, b2: torch_updates(g, b2, capturable=True),
        }
    else:
        bench.note("PyTorch is not installed; its updates are left out.")
    for b2 in averages:
        r, adaptive = exact_rectifier(b2, steps)
        curves[b2] = {}
        for name, rectifier in RECTIFIERS.items():
            row, curves[b2][name] = _of_rectifier(rectifier(b2, steps), r, adaptive)
            bench.rows.append({"quantity": "r", "b2": b2, "competitor": name, **row})
        exact = exact_updates(g, r, adaptive, b2)
        for name, updates in packages.items():
            found = updates(g, b2)
            for kind, *parts in zip(
                KINDS, *(np.split(x, len(KINDS), axis=1) for x in (found, exact)), strict=True
            ):
                row = {"quantity": "update", "gradients": kind, "b2": b2, "competitor": name}
                bench.rows.append(row | _of_updates(*parts))
        bench.save()
    _tables(bench, list(packages), averages)
    bench.finish(lambda: _figure(curves))


def _of_rectifier(found: Rectifier, r: Sequence[Any], adaptive: np.ndarray) -> tuple[dict[str, Any], Curve]:
    """Worst relative error over the steps that are rectified here and there, and wrong branches."""
    exact = np.array([float(x) for x in r])
    wrong = adaptive != found.adaptive
    both = adaptive & found.adaptive
    curve = np.full(len(exact), np.nan)
    curve[both] = abs(found.r[both] - exact[both]) / exact[both]
    row = _worst(curve) | {"wrong_branches": int(wrong.sum())}
    return row, curve


def _of_updates(found: np.ndarray, exact: np.ndarray) -> dict[str, Any]:
    """Norm of a step's error over the norm of the step."""
    with np.errstate(over="ignore", invalid="ignore"):
        curve = np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return _worst(curve) | {"first_10": float(np.max(curve[:10]))}


def _worst(curve: Curve) -> dict[str, Any]:
    at = int(np.nanargmax(curve))
    return {"worst": float(curve[at]), "at_step": at + 1}


def _tables(bench: Benchmark, packages: Sequence[str], averages: Sequence[float]) -> None:
    r = [row for row in bench.rows if row["quantity"] == "r"]
    bench.table(
        "r_t: worst relative error where it is rectified (and steps on the wrong branch)",
        ("b2", *RECTIFIERS),
        [
            (str(b2), *(f"{x['worst']:.1e} ({x['wrong_branches']})" for x in r if x["b2"] == b2))
            for b2 in averages
        ],
    )
    updates = [row for row in bench.rows if row["quantity"] == "update"]

    def worst(name: str, field: str, b2: float, kinds: Sequence[str]) -> str:
        here = [row for row in updates if (row["competitor"], row["b2"]) == (name, b2)]
        return f"{max(row[field] for row in here if row['gradients'] in kinds):.1e}"

    for title, field in (("worst step", "worst"), ("worst of the first ten steps", "first_10")):
        title = f"Update: relative error of the {title}"
        bench.show(
            title,
            ("b2, gradients", *packages),
            [
                (f"{b2}, {kind}", *(worst(name, field, b2, (kind,)) for name in packages))
                for b2 in averages
                for kind in KINDS
            ],
        )
        bench.table(
            f"{title}, of all these gradients",
            ("b2", *packages),
            [(str(b2), *(worst(name, field, b2, KINDS) for name in packages)) for b2 in averages],
        )


def _figure(curves: dict[float, dict[str, Curve]]) -> Figure:
    """Relative error of r_t over t."""
    rows = -(-len(curves) // 2)
    figure, axes = sheet(
        "How exact packages compute RAdam's rectifier",
        "Relative error of r_t in float32 over steps, by b2; where a mark is missing, the error is 0",
        2.6 * rows + 0.6, rows, 2, sharey=True, squeeze=False,
    )  # fmt: skip
    for ax, (b2, named) in zip(axes.flat, curves.items(), strict=False):
        for (name, curve), (colour, marker) in zip(named.items(), MARKS * len(named), strict=False):
            t = np.unique(np.geomspace(1, len(curve), 50).astype(int))
            shown = np.where(curve[t - 1] > 0, curve[t - 1], np.nan)
            ax.loglog(t, shown, marker, ls="", ms=4, color=colour, label=name)
        ax.set(title=f"b2 = {b2}", xlabel="step")
        plain_log(ax.xaxis, 1)
        plain_log(ax.yaxis, 1)
    for ax in axes.flat[len(curves) :]:
        ax.remove()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
