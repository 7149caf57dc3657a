"""Curves on logarithmic axes as SVG, in a page's own colours, so that they are read in light and in dark."""

import math
import textwrap
from html import escape

WIDTH, HEIGHT = 440, 290
LEFT, RIGHT, TOP, BOTTOM = 42, 96, 48, 34
LEADING, LETTERS = 17, 13  # Of the names at the ends of lines.
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent):
    """1, 10, 100, 1000 in full, others by their exponent."""
    return str(10**exponent) if 0 <= exponent <= 3 else "10" + str(exponent).translate(SUPERSCRIPTS)


class Axes:
    """Logarithmic axes over ranges of x and y."""

    def __init__(self, xs, ys):
        self.x = math.log10(min(xs)), math.log10(max(xs))
        low, high = math.log10(min(ys)), math.log10(max(ys))
        centre, half = (low + high) / 2, max(0.6, 0.53 * (high - low))
        self.y = centre - half, centre + half

    def across(self, x):
        low, high = self.x
        return LEFT + (math.log10(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def up(self, y):
        low, high = self.y
        return HEIGHT - BOTTOM - (math.log10(y) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def grid(self):
        """Lines and names of the decades; every second one where there are many."""
        parts = []
        first, last = math.ceil(self.y[0]), math.floor(self.y[1])
        for exponent in range(first, last + 1, 1 + (last - first) // 5):
            y = self.up(10**exponent)
            parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(
                f'<text x="{LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">{power_of_ten(exponent)}</text>'
            )
        for exponent in range(math.ceil(self.x[0]), math.floor(self.x[1]) + 1):
            x = self.across(10**exponent)
            parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(
                f'<text x="{x:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{power_of_ten(exponent)}</text>'
            )
        return parts

    def mark(self, x, text):
        """A moment on the x axis, named above it."""
        x = self.across(x)
        return [
            f'<path class="mark" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>',
            f'<text class="mark" x="{x:.1f}" y="{TOP - 6}" text-anchor="middle">{escape(text)}</text>',
        ]

    def names(self, lines):
        """At their ends, moved apart where they would touch: the name, last y and colour of each line."""
        parts, lowest = [], TOP
        for name, y, colour in sorted(lines, key=lambda line: -line[1]):
            lowest = max(self.up(y) + 5, lowest)
            for words in textwrap.wrap(name, LETTERS):
                place = f'x="{WIDTH - RIGHT + 6}" y="{lowest:.1f}"'
                parts.append(f'<text {place} style="fill:{colour}">{escape(words)}</text>')
                lowest += LEADING
        return parts

    def line(self, xs, ys, style):
        """A path through the points; zeros, which have no logarithm, leave a gap."""
        steps, pen = [], "M"
        for x, y in zip(xs, ys, strict=True):
            if y > 0:
                steps.append(f"{pen}{self.across(x):.1f} {self.up(y):.1f}")
            pen = "L" if y > 0 else "M"
        return f'<path class="line" style="{style}" d="{"".join(steps)}"/>'


def picture(title, label, axes, parts):
    """The whole of a panel."""
    head = f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
    return "".join(
        [head, f'<text class="title" x="2" y="16">{escape(title)}</text>', *axes.grid(), *parts, "</svg>"]
    )
