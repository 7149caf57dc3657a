"""Dots with their quartiles: one panel per group, one line per name, one colour per competitor."""

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from benchmarks.frame.spread import Spread

Panels = dict[str, dict[str, dict[str, Spread]]]  # By panel, line and competitor.


def panels(data: Panels, label: str, *, log: bool = False) -> Figure:
    """A figure from ``data[panel][line][competitor]``, panels side by side.

    Args:
      label: of the horizontal axis, with its unit.
      log: whether it is logarithmic.
    """
    lines = list(dict.fromkeys(line for panel in data.values() for line in panel))
    competitors = list(
        dict.fromkeys(name for panel in data.values() for line in panel.values() for name in line)
    )
    columns = min(3, len(data))
    rows = -(-len(data) // columns)
    height = rows * (1.2 + 0.3 * len(lines)) + 0.4 + 0.15 * len(competitors)
    figure = Figure(figsize=(max(7, 4 * columns), max(height, 4)), layout="constrained")
    axes = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for ax, (title, panel) in zip(axes, data.items(), strict=False):
        for index, name in enumerate(competitors):
            found = [(lines.index(line), panel[line][name]) for line in panel if name in panel[line]]
            if not found:
                continue
            offset = 0.6 * ((index + 0.5) / len(competitors) - 0.5)
            ax.errorbar(
                [point.median for _, point in found],
                [y + offset for y, _ in found],
                xerr=[
                    [max(0.0, point.median - point.low) for _, point in found],
                    [max(0.0, point.high - point.median) for _, point in found],
                ],
                fmt="o",
                markersize=4,
                color=colormaps["tab10"](index % 10),
                label=name,
            )
        ax.set(title=title, xscale="log" if log else "linear")
        if log:
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.set_xlim(left=0)
        ax.set_yticks(range(len(lines)), lines)
        ax.set_ylim(len(lines) - 0.5, -0.5)
        ax.grid(axis="x", alpha=0.3)
    for ax in axes[len(data) :]:
        ax.remove()
    figure.supxlabel(label)
    handles = {}
    for ax in figure.axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    return figure
