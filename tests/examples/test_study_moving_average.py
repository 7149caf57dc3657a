"""The study of a moving average started at zero: its links, its verdict, its animated picture."""

# What needs a package comes after the skip.

import numpy as np
import pytest

for package in ("flax", "matplotlib", "rich", "sklearn"):
    pytest.importorskip(package)

import jax.numpy as jnp
from matplotlib.figure import Figure
from PIL import Image

from examples.lab.console import make_console
from examples.lab.pictures import Animation, draw_pictures
from examples.studies.moving_average.figures import animate
from examples.studies.moving_average.study import (
    DECAYS,
    MEAN,
    STEPS,
    Estimate,
    adam_steps,
    averages,
    findings,
    signals,
)
from tests.support.records import record

T = np.arange(1, STEPS + 1)
FACTORS = 1 - np.array(DECAYS)[:, None] ** T


def test_averages_are_those_of_the_definition():
    signal = np.asarray(signals(0, 3))
    results = np.asarray(averages(jnp.asarray(signal)))
    assert results.shape == (len(DECAYS), 2, STEPS, 3)
    for decay, factor, (raw, corrected) in zip(DECAYS, FACTORS, results, strict=True):
        average = np.zeros(3)
        for t in range(STEPS):
            average = decay * average + (1 - decay) * signal[t]
            np.testing.assert_allclose(raw[t], average, rtol=1e-5)
            np.testing.assert_allclose(corrected[t], average / factor[t], rtol=1e-5)


def test_signals_have_their_mean_and_depend_on_the_seed():
    many = np.asarray(signals(1, 5000))
    assert many.mean() == pytest.approx(MEAN, abs=0.01)
    assert (many[:, :1] != np.asarray(signals(2, 1))).any()


def test_adam_without_corrections_takes_too_large_steps():
    without, corrected = adam_steps()
    np.testing.assert_allclose(corrected, 1, rtol=1e-5)
    np.testing.assert_allclose(without, (1 - 0.9**T) / np.sqrt(1 - 0.999**T), rtol=1e-4)


def verdict(factor: float, adam: np.ndarray) -> list[bool]:
    """Whether the claims agree when all averages are a factor too large."""
    mean = MEAN * factor * np.stack([FACTORS, np.ones_like(FACTORS)], axis=1)
    estimate = Estimate(mean, np.ones_like(mean), np.full_like(mean, 1e-4))
    return [finding.agrees for finding in findings(FACTORS, estimate, adam)]


def test_the_verdict_follows_the_data():
    adam = adam_steps()
    assert verdict(1.0, adam) == [True, True, True]
    assert verdict(1.01, adam) == [False, False, True]
    assert verdict(1.0, np.ones((2, STEPS))) == [True, True, False]


def moving(frames: int = 4) -> Animation:
    """A figure with one line that grows."""
    figure = Figure(figsize=(2, 1), layout="constrained")
    panel = figure.subplots()
    panel.set(xlim=(0, frames), ylim=(0, 1))
    (line,) = panel.plot([], [])
    return Animation(figure, lambda frame: line.set_data(range(frame + 1), [0.5] * (frame + 1)), frames, 10)


def test_an_animation_shows_every_frame_and_is_the_same_again(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        files = [*draw_pictures(make_console(), tmp_path / folder, {"a": lambda record: moving()})]
        assert [file.name for file in files] == ["a.gif", "a-dark.gif"]
    for name in ("a.gif", "a-dark.gif"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    durations = []
    with Image.open(tmp_path / "one" / "a.gif") as image:
        assert (image.size, image.n_frames, image.info["loop"]) == ((192, 96), 4, 0)
        for frame in range(4):
            image.seek(frame)
            durations.append(image.info["duration"])
    assert durations == [100, 100, 100, 2000]


def test_the_figure_grows_with_its_frames(tmp_path):
    signal = np.linspace(0.5, 1.5, STEPS)
    rows = [(decay, t, signal[t - 1], 1.0, 1.0) for decay in DECAYS for t in T]
    tables = {
        "average": (("b", "step", "signal", "average", "corrected"), rows),
        "adam": (("step", "not_corrected", "corrected"), [(t, 1.0, 1.0) for t in T]),
    }
    figure, draw, frames, _ = animate(record(tmp_path, tables, {}, {}))
    assert frames == STEPS
    lines = [line for line in figure.axes[0].lines if not line.get_label().startswith("_child")]
    faint = [line for line in lines if line.get_label() == "_whole"]
    for frame in (0, 4, STEPS - 1):
        draw(frame)
        assert [len(line.get_xdata()) for line in lines if line not in faint] == [frame + 1] * 5
        # Where each line will end, and its name is from the first frame on.
        assert [len(line.get_xdata()) for line in faint] == [STEPS] * 5
