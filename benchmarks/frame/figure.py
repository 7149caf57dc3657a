"""Dots with their quartiles: one panel per group, one line per name, one mark per competitor."""

from matplotlib.figure import Figure

from benchmarks.frame.spread import Spread
from examples.lab.style import CONTEXT, CRIMSON, INDIGO, OLIVE, SKY, TEAL, plain_log, sheet

Panels = dict[str, dict[str, dict[str, Spread]]]  # By panel, line and competitor.

# None is an optimizer here, and so none has the colour of one: the first is this package's.
MARKS = ((INDIGO, "o"), (TEAL, "s"), (CRIMSON, "D"), (SKY, "^"), (OLIVE, "v"), (CONTEXT, "P"))
ROOM = 0.29  # Inches for a line.


def panels(data: Panels, title: str, label: str, *, log: bool = False) -> Figure:
    """A figure from ``data[panel][line][competitor]``, panels side by side.

    Args:
      data: what is shown.
      title: what is compared.
      label: what is measured, with its unit.
      log: whether the horizontal axis is logarithmic.
    """
    lines = list(dict.fromkeys(line for panel in data.values() for line in panel))
    competitors = list(
        dict.fromkeys(name for panel in data.values() for line in panel.values() for name in line)
    )
    columns = min(2, len(data))
    rows = -(-len(data) // columns)
    height = rows * (1.0 + ROOM * len(lines)) + 0.3 * (1 + len(competitors) // 3)
    figure, axes = sheet(title, label, max(height, 3), rows, columns, sharey=True, squeeze=False)
    axes = list(axes.flat)
    for ax, (name_of_panel, panel) in zip(axes, data.items(), strict=False):
        for index, name in enumerate(competitors):
            found = [(lines.index(line), panel[line][name]) for line in panel if name in panel[line]]
            if not found:
                continue
            offset = 0.6 * ((index + 0.5) / len(competitors) - 0.5)
            colour, marker = MARKS[index % len(MARKS)]
            ax.errorbar(
                [point.median for _, point in found],
                [y + offset for y, _ in found],
                xerr=[
                    [max(0.0, point.median - point.low) for _, point in found],
                    [max(0.0, point.high - point.median) for _, point in found],
                ],
                fmt=marker,
                markersize=6,
                color=colour,
                label=name,
            )
        ax.margins(x=0.05)
        ax.set(title=name_of_panel, xscale="log" if log else "linear")
        if log:
            plain_log(ax.xaxis, 1)
        else:
            ax.set_xlim(left=0)
            ax.locator_params(axis="x", nbins=4)
        ax.set_yticks(range(len(lines)), lines)
        ax.set_ylim(len(lines) - 0.5, -0.5)
    for ax in axes[len(data) :]:
        ax.remove()
    handles = {}
    for ax in figure.axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure
