"""The style of pictures: a look of its own for every optimizer, text that can be read, labels apart."""

import ast
import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from examples.lab import style
from examples.lab.files import write_picture
from examples.lab.style import OPTIMIZERS, THEMES, apart, label_ends, level, look, place_labels, sheet

ROOT = Path(__file__).parents[2]


def contrast(one, other):
    """As the Web Content Accessibility Guidelines 2.2 define it, from 1 to 21."""

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05

    low, high = sorted((luminance(one), luminance(other)))
    return high / low


def catalogue():
    """The functions of the package that return optimizers, without the one that changes another."""
    module = ast.parse((ROOT / "radam_optax" / "__init__.py").read_text("utf-8"))
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module == "radam_optax._optimizers":
            return [alias.name for alias in node.names if alias.name != "without_lookahead"]
    raise AssertionError("radam_optax imports no optimizers from radam_optax._optimizers")


def drawn(theme, claim="A claim that is so long that it takes more than one line of the picture's title."):
    with theme.applied():
        figure, (left, right) = sheet(claim, "what is measured " * 9, 3.5, 1, 2)
        x = np.arange(50)
        for index, name in enumerate(("RAdam", "Adam", "AMSGrad", "SGD", "RMSProp", "AdaGrad")):
            left.plot(x, np.exp(-x / 9) + 0.01 * index, label=name, **look(name))
            right.plot(x, 9 - index + 0 * x, label=name, **look(name))
        left.set(xlabel="step", ylabel="loss")
        level(right, 6.5, "chance")
        for panel in (left, right):
            label_ends(panel)
        place_labels(figure)
    return figure


def test_no_two_optimizers_look_alike():
    for (one, first), (other, second) in itertools.combinations(OPTIMIZERS.items(), 2):
        assert first != second, f"{one} and {other}"


@pytest.mark.parametrize("name", catalogue())
def test_every_optimizer_of_the_catalogue_has_a_look(name):
    assert look(name) in OPTIMIZERS.values()


def test_a_name_may_be_that_of_the_function():
    assert look("schedule_free_radam") == OPTIMIZERS["RAdam schedule-free"]
    assert look("rmsprop_nesterov") == OPTIMIZERS["RMSProp, Nesterov"]
    with pytest.raises(ValueError, match=r"`name` must be that of an optimizer with a look; got 'Adamm'"):
        look("Adamm")


@pytest.mark.parametrize(("module", "names"), [
    ("counterexample.problem", ("OPTIMIZERS", "SUCCESSORS", "OVER_B2")),
    ("convex.problems", ("OPTIMIZERS",)),
    ("language_model.optimizers", ("OPTIMIZERS",)),
    ("schedules.methods", ("METHODS",)),
    ("sparse_spike.memory", ("METHODS",)),
    ("trajectories.paths", ("METHODS",)),
])  # fmt: skip
def test_every_optimizer_of_the_studies_has_a_look(module, names):
    for name in names:
        for optimizer in getattr(importlib.import_module(f"examples.studies.{module}"), name):
            if "b2 =" not in optimizer:  # The same optimizer with another constant, not drawn.
                assert OPTIMIZERS[optimizer] == look(optimizer)


@pytest.mark.parametrize("theme", THEMES, ids=("light", "dark"))
def test_colours_stand_out_from_the_background(theme):
    for name, optimizer in OPTIMIZERS.items():
        assert contrast(optimizer["color"], theme.background) >= 3, name
    assert contrast(style.CONTEXT, theme.background) >= 3
    assert contrast(theme.text, theme.background) >= 7


@pytest.mark.parametrize("theme", THEMES, ids=("light", "dark"))
def test_text_is_of_14_points_at_900_pixels_and_within_the_picture(theme):
    figure = drawn(theme)
    width, height = figure.get_size_inches() * figure.dpi
    assert figure.get_size_inches()[0] * 96 == 900
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert len(texts) > 20
    for text in texts:
        assert text.get_size() >= 14, text
        box = text.get_window_extent()
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= -1, text


def test_labels_of_lines_do_not_overlap_and_stand_in_the_order_of_the_lines():
    for panel in drawn(THEMES[0]).axes:
        labels = [text for text in panel.texts if text.get_gid() == "end"]
        boxes = sorted((Text.get_window_extent(text) for text in labels), key=lambda box: box.y0)
        assert len(boxes) == 6
        assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(boxes))
        ends = {line.get_label(): line.get_ydata()[-1] for line in panel.get_lines()}
        in_order = sorted(labels, key=lambda text: Text.get_window_extent(text).y0)
        assert [text.get_text() for text in in_order] == sorted(
            (text.get_text() for text in labels), key=ends.get
        )


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(1, 9)), min_size=1, max_size=9),
)
def test_apart_moves_no_further_than_it_must(texts):
    centres, heights = map(np.array, zip(*texts, strict=True))
    placed = apart(centres, heights, 0, 100)
    assert placed.min() >= -1e-9
    assert placed.max() <= 100 + 1e-9
    order = np.argsort(placed)
    gaps = np.diff(placed[order]) - (heights[order][1:] + heights[order][:-1]) / 2
    assert (gaps >= -1e-9).all()
    in_order = np.argsort(centres, kind="stable")
    free = np.diff(centres[in_order]) - (heights[in_order][1:] + heights[in_order][:-1]) / 2
    if (free >= 0).all():
        np.testing.assert_allclose(placed, centres, atol=1e-9)


def test_apart_says_where_there_is_no_room():
    with pytest.raises(ValueError, match=r"`heights` must fit between 0 and 10; got 12 in all"):
        apart([1, 2, 3], [6, 6, 6], 0, 10)


def test_the_quickstart_which_imports_no_style_has_its_colours():
    pytest.importorskip("sklearn")
    from examples.start import quickstart

    names = {"SGD, momentum 0.9": "momentum", "Adam with warmup": "Adam + linear warmup"}
    for name, (_, colour) in quickstart.OPTIMIZERS.items():
        assert colour == look(names.get(name, name))["color"]


def test_a_picture_has_a_light_and_a_dark_file(tmp_path):
    paths = write_picture(tmp_path / "picture.png", lambda: drawn(THEMES[0]))
    assert [path.name for path in paths] == ["picture.png", "picture-dark.png"]
    for path in paths:
        with Image.open(path) as image:
            assert image.width == 1800
        assert path.stat().st_size < 150_000


def test_the_style_needs_neither_jax_nor_a_screen():
    code = "import sys, json, examples.lab.style; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"jax", "flax", "optax", "radam_optax", "matplotlib.pyplot", "tkinter"}
