"""The picture of the language model: perplexity over steps, and RAdam's relative to Adam's."""

import numpy as np
from matplotlib.figure import Figure

from examples.lab.record import Record
from examples.lab.style import CONTEXT, band, label_ends, level, look, over_seeds, plain_log, sheet
from examples.studies.language_model.findings import PUBLISHED
from examples.studies.language_model.optimizers import fall_of


def draw(record: Record) -> Figure:
    """Perplexity of held-out text, and its ratio in pairs of runs that share a seed."""
    table, text = record.table("perplexity"), record.summary["results"]["text"]
    steps = np.array(table.distinct("step"))
    runs = {
        name: table.where(optimizer=name).grid("test_perplexity", "seed", "step")
        for name in table.distinct("optimizer")
    }
    ratios = runs["RAdam"] / runs["Adam"]
    figure, (left, right) = sheet(
        _claim(ratios),
        f"Perplexity of held-out words over steps: a two-layer LSTM on {text['source']}, "
        f"{over_seeds(len(ratios))}",
        3.9, 1, 2,
    )  # fmt: skip
    for name, values in runs.items():
        band(left, steps, values, label=name, **look(name))
    ends = np.stack([values[:, -1] for values in runs.values()])
    # Above it nothing can be compared: the first steps leave the picture.
    left.set(title="perplexity per word", yscale="log", ylim=(0.95 * ends.min(), 3 * ends.max()))
    plain_log(left.yaxis, 1, 2, 3, 4, 5, 6, 8)
    label_ends(left)

    published = PUBLISHED["RAdam"] / PUBLISHED["Adam"]
    band(right, steps, ratios, **look("RAdam"))
    right.axhline(1, **look("Adam"))
    right.annotate(
        "Adam",
        (steps[0], 1),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        color=look("Adam")["color"],
    )
    level(right, published, f"published: {published:.3f}", below=True)
    spread = max(abs(ratios[:, -1] - 1).max(), 1 - published)
    right.set(title="RAdam's / Adam's", ylim=(1 - 2.5 * spread, 1 + 6 * spread))
    fall = fall_of(int(steps[-1]))
    for panel in (left, right):
        panel.axvline(fall, color=CONTEXT, ls=":", lw=1.2)
        panel.set(xlabel="step", xlim=(0, steps[-1]))
        panel.locator_params(axis="x", nbins=4)
    left.annotate(
        "rate / 10", (fall, 0.97), xycoords=("data", "axes fraction"), xytext=(-5, 0), ha="right", va="top",
        textcoords="offset points", color=CONTEXT,
    )  # fmt: skip
    return figure


def _claim(ratios: np.ndarray) -> str:
    start = "RAdam starts behind Adam" if ratios[:, 0].min() > 1 else "RAdam and Adam"
    last = ratios[:, -1]
    if last.min() < 1 < last.max():
        return f"{start}; at the end the seeds do not agree which is lower"
    return f"{start}; at the end RAdam is {'lower' if last.max() < 1 else 'higher'} with every seed"


PICTURES = {"language_model": draw}
