"""The pictures of the convex study: curves at the best settings, and the grid they are the best of."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.lab.record import Record
from examples.lab.style import label_ends, level, look, over_seeds, plain_log, rope, sheet
from examples.studies.convex.grid import ALPHAS, CHANCE, SPLITS, Best, Results, final_means
from examples.studies.convex.problems import OPTIMIZERS, PROBLEMS

ALIKE = 0.1  # Losses whose logarithms are nearer are drawn as one line.


def results_of(record: Record) -> Results:
    """The arrays of all runs, from their table."""
    table = record.table("curves")
    return {
        problem: {
            name: {
                split: table.where(problem=problem, optimizer=name).grid(split, "b2", "alpha", "seed", "step")
                for split in SPLITS
            }
            for name in OPTIMIZERS
        }
        for problem in PROBLEMS
    }


def draw_curves(record: Record, split: str) -> Figure:
    """Loss over steps at the best alpha and b2 of each optimizer, as in the paper: mean and range."""
    results, steps = results_of(record), record.table("curves").distinct("step")
    best = {
        problem: {name: Best.of(measures[split]) for name, measures in optimizers.items()}
        for problem, optimizers in results.items()
    }
    figure, panels = sheet(
        _claim(best, SPLITS[split]),
        f"{SPLITS[split].capitalize()} in nats over steps, {_data(record)}, each with the alpha and b2 that "
        f"end lowest: {_spread(results)}",
        3.6, 1, 2,
    )  # fmt: skip
    for panel, (problem, optimizers) in zip(panels, best.items(), strict=True):
        _draw(panel, steps, {name: at.losses.mean(axis=0) for name, at in optimizers.items()})
        for name, at in optimizers.items():
            low, high = at.losses.min(axis=0), at.losses.max(axis=0)
            panel.fill_between(steps, low, high, color=look(name)["color"], alpha=0.15, lw=0)
        lowest = min(at.final.min() for at in optimizers.values())
        if split == "test_loss":
            panel.set_ylim(0.95 * lowest, 1.8 * lowest)
        panel.set(xlabel="step", yscale="log", xlim=(0, steps[-1]))
        plain_log(panel.yaxis, *((1, 2, 2.5, 3, 3.5, 4, 5) if split == "test_loss" else (1,)))
        panel.set_title(PROBLEMS[problem].title)
        panel.locator_params(axis="x", nbins=4)
        label_ends(panel)
    return figure


def _draw(panel: Axes, x: Sequence[float], lines: Mapping[str, np.ndarray]) -> None:
    """Two lines, in alternating pieces where they lie upon each other."""
    adam, amsgrad = lines.values()
    alike = np.abs(np.log(adam / amsgrad)) < ALIKE
    # A point on each side, so that no gap is between the parts.
    near = alike | np.append(alike[1:], False) | np.append(False, alike[:-1])
    colours = {name: look(name)["color"] for name in lines}
    rope(panel, x, {f"_{name}": (np.where(near, y, np.nan), colours[name]) for name, y in lines.items()})
    for name, y in lines.items():
        panel.plot(x, np.where(alike, np.nan, y), color=colours[name], lw=2.5)
        panel.plot(x[-1:], y[-1:], color=colours[name], label=name)  # Where its name stands.


def _claim(best: dict[str, dict[str, Best]], what: str) -> str:
    ahead = set()
    for optimizers in best.values():
        lower = (optimizers["Adam"].final < optimizers["AMSGrad"].final).mean()
        ahead.add("Adam" if lower == 1 else "AMSGrad" if lower == 0 else "neither")
    if ahead == {"Adam"}:
        return f"The best Adam ends at a lower {what} than the best AMSGrad, with every seed"
    if ahead == {"AMSGrad"}:
        return f"The best AMSGrad ends at a lower {what} than the best Adam, with every seed"
    return f"In {what} the best Adam and the best AMSGrad end alike"


def draw_grid(record: Record) -> Figure:
    """Training loss at the end over alpha, each with the better b2 there: mean over the seeds."""
    results = results_of(record)
    figure, panels = sheet(
        "Adam and AMSGrad over alpha: alike where it is small",
        f"Training loss in nats over the last tenth of the steps, over alpha with the better b2 for each, "
        f"{_data(record)}: {_spread(results).replace('mean and range', 'mean')}",
        3.6, 1, 2,
    )  # fmt: skip
    for panel, (problem, optimizers) in zip(panels, results.items(), strict=True):
        ends = {name: final_means(of["train_loss"]).min(axis=0) for name, of in optimizers.items()}
        _draw(panel, ALPHAS, ends)
        panel.set(xlabel=r"$\alpha$", xscale="log", yscale="log", title=PROBLEMS[problem].title)
        # Runs that diverge leave the picture instead of flattening the others.
        panel.set_ylim(top=3 * CHANCE)
        level(panel, float(CHANCE), "chance, ln 10", left=True)
        plain_log(panel.yaxis, 1)
        panel.set_xticks([1e-4, 1e-2, 1], ["0.0001", "0.01", "1"])
        label_ends(panel)
    return figure


def _data(record: Record) -> str:
    return "MNIST" if record.summary["options"]["data_dir"] else "5000 images of MNIST"


def _spread(results: Results) -> str:
    return over_seeds(next(iter(next(iter(results.values())).values()))["train_loss"].shape[2])


PICTURES = {
    "convex": partial(draw_curves, split="train_loss"),
    "convex_test": partial(draw_curves, split="test_loss"),
    "convex_grid": draw_grid,
}
