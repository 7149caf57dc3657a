"""The pictures of the schedules: perplexity at the end over the peaks, and over steps at the best of them."""

from matplotlib.figure import Figure

from examples.lab.record import Record
from examples.lab.style import band, label_ends, look, over_seeds, plain_log, sheet
from examples.studies.schedules.methods import (
    ADAM,
    ADAM_UNWARMED,
    METHODS,
    PEAKS,
    RADAM,
    RADAM_TO_HALF,
    Setting,
)
from examples.studies.schedules.runs import Runs, contestants, told

TEXT = "a two-layer LSTM on the sources of Python's library, held-out part"


def runs_of(record: Record) -> dict[str, Runs]:
    """The contestants, from the table of all runs."""
    table = record.table("curves")
    steps = table.distinct("step")[-1]
    results = {}
    for name in METHODS:
        rows = table.where(method=name)
        told = dict.fromkeys(zip(rows["peak"], rows["warmup"], rows["length"], strict=True))
        shape = len(told), len(rows.distinct("seed")), len(rows.distinct("step"))
        train, test = (rows[f"{part}_perplexity"].reshape(shape) for part in ("train", "test"))
        results[name] = Runs([Setting(*map(float, setting)) for setting in told], train, test)
    return contestants(results, steps)


def draw_peaks(record: Record) -> Figure:
    """Perplexity at the end with the best of the other settings, over the peak of the learning rate."""
    runs = runs_of(record)
    best = {name: those.at_best[:, -1].mean() for name, those in runs.items() if name != RADAM_TO_HALF}
    seeds = next(iter(runs.values())).test.shape[1]
    figure, panel = sheet(
        _claim(runs, best),
        f"Perplexity per word at the end, over the peak of the learning rate: {TEXT}, {over_seeds(seeds)}",
        4.2,
    )  # fmt: skip
    for name in best:
        band(
            panel, PEAKS, runs[name].at_peaks().T, marker="o", label=f"{name}: {best[name]:.1f}", **look(name)
        )
    lowest = min(those.at_best[:, -1].min() for those in runs.values())
    panel.set(
        xlabel="peak", xscale="log", yscale="log", ylim=(0.97 * lowest, min(panel.get_ylim()[1], 3 * lowest))
    )
    panel.set_title("perplexity; beside the names: at the best peak")
    plain_log(panel.xaxis, 1, 3)
    plain_log(panel.yaxis, 1, 1.5, 2, 2.5, 3, 4, 5, 7)
    label_ends(panel)
    return figure


def _claim(runs: dict[str, Runs], best: dict[str, float]) -> str:
    highest = {name: those.at_peaks()[-1].mean() for name, those in runs.items()}
    if best[RADAM] <= min(best.values()) and highest[RADAM] < highest[ADAM] < highest[ADAM_UNWARMED]:
        return "Told the length, RAdam ends lowest; at a large peak Adam needs a warmup, and RAdam none"
    return "What optimizers with and without schedules end at"


def draw_curves(record: Record) -> Figure:
    """Perplexity over steps at the best setting of each."""
    runs = runs_of(record)
    steps = record.table("curves").distinct("step")
    seeds = next(iter(runs.values())).test.shape[1]
    half = runs[RADAM_TO_HALF].at_best[:, len(steps) // 2 - 1]
    free = runs["RAdam schedule-free"].at_best[:, len(steps) // 2 - 1]
    figure, panel = sheet(
        "Schedule-free averages need no length, but at half of the steps a schedule is lower"
        if free.mean() > half.mean()
        else "Schedule-free averages need no length, and are as low at half of the steps",
        f"Perplexity per word over steps, the best setting of each: {TEXT}, {over_seeds(seeds)}",
        4.4,
    )  # fmt: skip
    for name, those in runs.items():
        shown = len(steps) // (2 if name == RADAM_TO_HALF else 1)  # Then it stands still.
        peak, warmup, _ = those.settings[those.best]
        label = f"{name} ({peak:g}" + (f", {warmup:g})" if "warmup" in told(name) else ")")
        line = band(panel, steps[:shown], those.at_best[:, :shown], label=label, **look(name))
        if name == RADAM_TO_HALF:
            line.set_label(f"_{label}")
            panel.annotate(
                name, (steps[shown - 1], half.mean()), xytext=(-2, -6), textcoords="offset points",
                ha="right", va="top", color=line.get_color(),
            )  # fmt: skip
    lowest = min(those.at_best[:, -1].min() for those in runs.values())
    panel.set(xlabel="step", yscale="log", ylim=(0.97 * lowest, 2 * lowest), xlim=(0, steps[-1]))
    panel.set_title("perplexity; beside the names: peak, and steps of warmup")
    plain_log(panel.yaxis, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 7)
    label_ends(panel)
    return figure


PICTURES = {"schedules": draw_peaks, "schedules_curves": draw_curves}
