"""The pictures of the study of learning rates: what each ends at over the rates, and the way there."""

import numpy as np
from matplotlib.figure import Figure

from examples.lab.record import Record
from examples.lab.style import band, label_ends, look, over_seeds, plain_log, sheet

OPTIMIZERS = ("SGD", "Adam", "RAdam")


def draw_ends(record: Record) -> Figure:
    """Test accuracy and training loss at the end, over the learning rates."""
    curves = record.table("curves")
    rates = curves.distinct("learning_rate")
    ends = {
        measure: {
            name: curves.where(optimizer=name).grid(measure, "learning_rate", "seed", "step")[..., -1].T
            for name in OPTIMIZERS
        }
        for measure in ("test_accuracy", "train_loss")
    }
    costs = {name: 100 * np.ptp(last.mean(axis=0)) for name, last in ends["test_accuracy"].items()}
    figure, (left, right) = sheet(
        f"Rates {max(rates) / min(rates):.0f} times apart move Adam's accuracy by {costs['Adam']:.1f} "
        f"points, RAdam's by {costs['RAdam']:.1f}, SGD's by {costs['SGD']:.1f}",
        f"Residual networks on {record.summary['results']['data']} at the end of training, over the learning "
        f"rate: {over_seeds(len(ends['train_loss']['SGD']))}",
        3.6, 1, 2,
    )  # fmt: skip
    for panel, (measure, factor) in zip(
        (left, right), (("test_accuracy", 100), ("train_loss", 1)), strict=True
    ):
        for name in OPTIMIZERS:
            by_rate = factor * ends[measure][name][:, np.argsort(rates)]
            band(panel, np.sort(rates), by_rate, marker="o", label=name, **look(name))
        panel.set(xlabel="learning rate", xscale="log")
        plain_log(panel.xaxis, 1, 3)
    left.set_title("test accuracy, %")
    right.set(title="training loss, nats", yscale="log")
    plain_log(right.yaxis, 1, 3)
    for panel in (left, right):
        label_ends(panel)
    return figure


def draw_curves(record: Record) -> Figure:
    """Test accuracy over the steps, a panel for each optimizer, as the paper's figure 6."""
    curves = record.table("curves")
    rates, steps = curves.distinct("learning_rate"), curves.distinct("step")
    seeds = len(curves.distinct("seed"))
    figure, panels = sheet(
        "Where the learning rate falls to a tenth, all rates come together",
        f"Test accuracy in % over steps, by the learning rate at the start: residual networks on "
        f"{record.summary['results']['data']}, {f'mean of {seeds} seeds' if seeds > 1 else 'one seed'}",
        3.6, 1, 3, sharey=True,
    )  # fmt: skip
    accuracies = {
        name: 100 * curves.where(optimizer=name).grid("test_accuracy", "learning_rate", "seed", "step")
        for name in OPTIMIZERS
    }
    last = np.stack([runs[..., -1] for runs in accuracies.values()])
    # The first steps are left out, which would flatten the ends.
    panels[0].set_ylim(max(0, last.min() - 2 * np.ptp(last) - 2), min(100, last.max() + 1))
    for panel, (name, runs) in zip(panels, accuracies.items(), strict=True):
        colour = look(name)["color"]
        for index, (rate, values) in enumerate(zip(rates, runs.mean(axis=1), strict=True)):
            shade = 1 - 0.55 * index / max(1, len(rates) - 1)
            panel.plot(steps, values, color=colour, alpha=shade, lw=1.5, label=f"{rate:g}")
        panel.set(xlabel="step")
        panel.set_title(name, color=colour, weight="bold")
        panel.locator_params(axis="x", nbins=3)
        label_ends(panel)
    return figure


PICTURES = {"learning_rates": draw_ends, "learning_rates_curves": draw_curves}
