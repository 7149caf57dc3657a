"""A Mermaid flowchart of a page as pictures, laid out when the site is built.

Of Mermaid it understands what docs/architecture.md says: subgraphs of rooms, `name["label"]`, and arrows
`a --> b & c`. Each subgraph is a picture, with dashed boxes for the rooms of others that it leads to. A
room stands below those that import it.
"""

import re
import textwrap
from html import escape
from typing import NamedTuple

from docutils import nodes
from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from grandalf.routing import EdgeViewer, route_with_lines
from sphinx.util.docutils import SphinxDirective

LINE, LETTER, PADDING = 17, 7.0, 8
COLUMNS = 20  # Letters in a line of a room.
ROOM = re.compile(r'(\w+)\["(.*?)"\]')


class Box:
    """The view of a room that the layout moves."""

    def __init__(self, room, outside):
        title, *others = room.label.split("<br/>")
        self.kind = ' class="outside"' if outside else ""
        self.lines = [title] if outside else [title, *textwrap.wrap(" ".join(others), COLUMNS)]
        self.w = max(map(len, self.lines)) * LETTER + 2 * PADDING
        self.h = len(self.lines) * LINE + 2 * PADDING
        self.xy = (0.0, 0.0)

    def corners(self):
        x, y = self.xy
        return [(x - self.w / 2, y - self.h / 2), (x + self.w / 2, y + self.h / 2)]

    def drawn(self):
        (left, top), _ = self.corners()
        parts = [
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{self.w:.1f}" height="{self.h:.1f}" rx="6"'
            f"{self.kind}/>"
        ]
        for number, line in enumerate(self.lines):
            kind = "" if number else ' class="title"'
            y = top + PADDING + (number + 0.75) * LINE
            parts.append(f'<text x="{self.xy[0]:.1f}" y="{y:.1f}"{kind}>{escape(line)}</text>')
        return "".join(parts)


class Room(NamedTuple):
    """A room of the flowchart."""

    label: str
    package: str


def read(lines):
    """The rooms of a flowchart, and its arrows."""
    rooms, arrows, package = {}, [], ""
    for line in lines:
        if match := re.fullmatch(r"\s*(?:subgraph (\w+)|end)", line):
            package = match[1] or ""
        for name, label in ROOM.findall(line):
            rooms[name] = Room(label, package)
        source, _, targets = ROOM.sub(r"\1", line).partition(" --> ")
        arrows += [(source.strip(), target) for target in re.findall(r"\w+", targets)]
    return rooms, arrows


def place(boxes, arrows):
    """Moves the boxes to their places; the ways of the arrows."""
    vertices = {name: Vertex(name) for name in boxes}
    for name, vertex in vertices.items():
        vertex.view = boxes[name]
    edges = [Edge(vertices[a], vertices[b]) for a, b in arrows]
    for edge in edges:
        edge.view = EdgeViewer()
    (component,) = Graph(list(vertices.values()), edges).C
    layout = SugiyamaLayout(component)
    layout.route_edge, layout.xspace, layout.yspace = route_with_lines, 10, 30
    layout.init_all()
    layout.draw(20)
    return [edge.view._pts for edge in edges]


def picture(package, rooms, arrows):
    """A package: its rooms, and those that they import."""
    arrows = [(a, b) for a, b in arrows if rooms[a].package == package]
    names = dict.fromkeys(name for arrow in arrows for name in arrow)
    boxes = {name: Box(rooms[name], rooms[name].package != package) for name in names}
    ways = place(boxes, arrows)
    points = [point for box in boxes.values() for point in box.corners()]
    points += [point for way in ways for point in way]
    (left, right), (top, bottom) = ((min(each) - 4, max(each) + 4) for each in zip(*points, strict=True))
    width, height = right - left, bottom - top
    paths = ["M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in way) for way in ways]
    return "".join([
        f'<svg class="drawing" viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'role="img" aria-label="The rooms of {package} and their imports">',
        *(f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>' for path in paths),
        *(box.drawn() for box in boxes.values()),
        "</svg>",
    ])  # fmt: skip


TIP = (
    '<svg class="unseen" width="0" height="0"><defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" '
    'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs></svg>'
)


class Mermaid(SphinxDirective):
    """A picture for each package, one below the other."""

    has_content = True

    def run(self):
        rooms, arrows = read(self.content)
        parts = [
            f'<figure class="rooms"><figcaption><code>{package}/</code></figcaption>'
            f'<div class="scrolled" tabindex="0">{picture(package, rooms, arrows)}</div></figure>'
            for package in dict.fromkeys(room.package for room in rooms.values())
        ]
        return [nodes.raw("", TIP + "".join(parts), format="html")]


def setup(app):
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
