"""The study of learning rates: its network, its loader of CIFAR-10, its augmentation, its verdict."""

import argparse
import csv
import hashlib
import io
import json
import pickle
import struct
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

for package in ("matplotlib", "orbax", "rich", "sklearn"):
    pytest.importorskip(package)
nnx = pytest.importorskip("flax.nnx")

from examples.data import cifar10 as _cifar10
from examples.data.augmentation import Augmentation
from examples.data.split import DataError, Split
from examples.lab.study import Study
from examples.lab.training import train
from examples.models.convolutional import convolve
from examples.models.resnet import ResNet
from examples.studies.learning_rates import study as learning_rates
from examples.studies.learning_rates.findings import findings
from examples.studies.learning_rates.optimizers import RATES, WEIGHT_DECAY, optimizers
from examples.tasks.classification import classification

IMAGES = 20  # Per file.


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, as the genuine files have them."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_string(self, value):
        short = len(value) < 256
        size = struct.pack("<B" if short else "<i", len(value))
        self.write((pickle.SHORT_BINSTRING if short else pickle.BINSTRING) + size + value)
        self.memoize(value)

    dispatch[bytes] = save_string


def genuine(batch):
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(batch)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def batch_of(seed, images=IMAGES):
    rng = np.random.default_rng(seed)
    return {
        b"batch_label": b"training batch",
        b"labels": rng.integers(10, size=images).tolist(),
        b"data": rng.integers(256, size=(images, 3072)).astype(np.uint8),
        b"filenames": [b"a photograph.png"] * images,
    }


@nnx.jit
def forward(model, images):
    return model(images)


def small_resnet(channels=1, **options):
    return nnx.jit(lambda: ResNet(8, (4, 8, 16), channels, 10, rngs=nnx.Rngs(0), **options))()


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(_cifar10.MD5):
        (tmp_path / name).write_bytes(genuine(batch_of(seed)))
    return tmp_path


def test_resnet_20_has_the_parameters_of_the_original():
    model = nnx.eval_shape(lambda: ResNet(20, (16, 32, 64), 3, 10, rngs=nnx.Rngs(0)))
    params = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert sum(x.size for x in params) == 269_722
    assert sum(x.ndim == 4 for x in params) == 19
    statistics = jax.tree.leaves(nnx.state(model, nnx.BatchStat))
    assert sum(x.size for x in statistics) == 2 * (7 * 16 + 6 * 32 + 6 * 64)


def test_the_first_weights_keep_the_size_of_activations():
    kernel = small_resnet().blocks[2].conv2.kernel[...]
    assert kernel.shape == (3, 3, 16, 16)
    assert np.std(kernel) == pytest.approx(np.sqrt(2 / (9 * 16)), rel=0.05)


def test_a_new_shape_keeps_every_second_pixel_and_pads_channels():
    block = small_resnet().blocks[1]
    block.bn2.scale[...] = jnp.zeros(8)  # The branch is silent.
    x = jnp.arange(2.0 * 4 * 4 * 4).reshape(2, 4, 4, 4)
    y = forward(block, x)
    assert y.shape == (2, 2, 2, 8)
    np.testing.assert_array_equal(y[..., 2:6], x[:, ::2, ::2])
    assert not y[..., [0, 1, 6, 7]].any()


@pytest.mark.parametrize("depth", [2, 9, 14 + 1])
def test_a_depth_without_equal_stages_is_refused(depth):
    with pytest.raises(ValueError, match=r"`depth` must be 6 n \+ 2 for 3 widths, n >= 1; got"):
        ResNet(depth, (4, 8, 16), 1, 10, rngs=nnx.Rngs(0))


def test_both_convolutions_give_the_same_network_and_only_training_moves_the_statistics():
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    one, other = small_resnet(conv=convolve), small_resnet()
    np.testing.assert_allclose(forward(one, images), forward(other, images), rtol=1e-4, atol=1e-5)
    moved = one.bn.mean[...]
    assert np.any(moved)
    one.eval()
    forward(one, images)
    np.testing.assert_array_equal(one.bn.mean[...], moved)


def test_augmentation_is_what_a_loop_would_do():
    images = np.random.default_rng(0).normal(size=(3, 5, 6, 7, 2)).astype(np.float32)
    augmentation = Augmentation(margin=2, mirror=True)
    choices = augmentation.choose(0, (3, 5))
    changed = augmentation.apply(images, choices)
    for index, choice in np.ndenumerate(choices):
        row, column, mirrored = choice // 10, choice // 2 % 5, choice % 2
        padded = np.pad(images[index], ((2, 2), (2, 2), (0, 0)))[row : row + 6, column : column + 7]
        np.testing.assert_array_equal(changed[index], padded[:, ::-1] if mirrored else padded)


def test_choices_are_uniform_and_those_of_a_longer_run_begin_alike():
    augmentation = Augmentation(margin=1, mirror=True)
    long = augmentation.choose(3, (2000, 9))
    np.testing.assert_array_equal(augmentation.choose(3, (500, 9)), long[:500])
    np.testing.assert_allclose(np.bincount(long.ravel(), minlength=18), 1000, atol=150)
    identity = Augmentation(margin=0, mirror=False)
    images = np.ones((2, 4, 4, 1), np.float32)
    np.testing.assert_array_equal(identity.apply(images, identity.choose(0, (2,))), images)


@pytest.mark.parametrize("inner", ["", _cifar10.FOLDER])
def test_cifar10_is_read_as_it_is_written(folder, inner, tmp_path):
    if inner:
        (folder / inner).mkdir()
        for name in _cifar10.MD5:
            (folder / name).rename(folder / inner / name)
    data, test = _cifar10.load(folder, checksum=False)
    assert data.images.shape == (5 * IMAGES, 32, 32, 3)
    assert test.images.shape == (IMAGES, 32, 32, 3)
    assert (data.images.dtype, data.labels.dtype) == (np.float32, np.int32)
    np.testing.assert_allclose(data.images.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(data.images.std(axis=(0, 1, 2)), 1, rtol=1e-4)
    np.testing.assert_array_equal(test.labels, batch_of(5)[b"labels"])
    np.testing.assert_array_equal(data.labels[IMAGES : 2 * IMAGES], batch_of(1)[b"labels"])
    # Red rows first, then green, then blue.
    red, blue = (
        np.concatenate([batch_of(i)[b"data"] for i in range(5)])[:, part]
        for part in (slice(1024), slice(2048, None))
    )
    assert data.images[7, 2, 5, 0] == pytest.approx((red[7, 2 * 32 + 5] - red.mean()) / red.std(), rel=1e-4)
    blue_test = batch_of(5)[b"data"][3, 2048 + 9 * 32 + 30]
    assert test.images[3, 9, 30, 2] == pytest.approx((blue_test - blue.mean()) / blue.std(), rel=1e-4)


@pytest.mark.parametrize("protocol", [3, 4])
def test_files_written_by_python_3_are_read_too(folder, protocol):
    expected = _cifar10.load(folder, checksum=False)
    for seed, name in enumerate(_cifar10.MD5):
        (folder / name).write_bytes(pickle.dumps(batch_of(seed), protocol))
    jax.tree.map(np.testing.assert_array_equal, _cifar10.load(folder, checksum=False), expected)


def test_only_the_genuine_files_pass_the_checksum(folder, monkeypatch):
    with pytest.raises(
        DataError, match=r"data_batch_1: its MD5 checksum is \w{32}, and that of .*--no-checksum"
    ):
        _cifar10.load(folder)
    for name in _cifar10.MD5:
        monkeypatch.setitem(_cifar10.MD5, name, hashlib.md5((folder / name).read_bytes()).hexdigest())
    _cifar10.load(folder)


class Exploit:
    def __reduce__(self):
        return sys.exit, ("code was run",)


def with_(**changes):
    batch = batch_of(0) | {key.encode(): value for key, value in changes.items()}
    return genuine({key: value for key, value in batch.items() if value is not None})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory; it belongs to CIFAR-10"),
        (b"", "is not a pickle of NumPy arrays and plain types: Ran out of input"),
        (with_()[:5000], "is not a pickle of NumPy arrays and plain types"),
        (b"\x1f\x8b\x08\x00 compressed", "is not a pickle of NumPy arrays and plain types"),
        (pickle.dumps(Exploit()), "is not a pickle of NumPy arrays and plain types: it asks for sys.exit"),
        (pickle.dumps([1, 2]), "is a pickle, but not of a dictionary with b'data' and b'labels'"),
        (with_(labels=None), "is a pickle, but not of a dictionary with b'data' and b'labels'"),
        (with_(data=[[0] * 3072] * IMAGES), "b'data' must be an array of uint8"),
        (with_(data=np.zeros((IMAGES, 3072), np.float32)), "b'data' must be an array of uint8"),
        (with_(data=np.zeros((IMAGES, 3071), np.uint8)), r"b'data' must have the shape \(n, 3072\), n >= 1"),
        (with_(data=np.zeros((0, 3072), np.uint8)), r"it has \(0, 3072\)"),
        (with_(data=np.zeros((IMAGES, 32, 96), np.uint8)), r"it has \(20, 32, 96\)"),
        (with_(labels=[0] * 19), "has 19 labels for 20 images"),
        (with_(labels=[0] * 19 + [10]), "b'labels' must be a list of whole numbers from 0 to 9"),
        (with_(labels=[0] * 19 + [-1]), "b'labels' must be a list of whole numbers from 0 to 9"),
        (with_(labels=[0] * 19 + [0.5]), "b'labels' must be a list of whole numbers from 0 to 9"),
    ],
)
def test_a_broken_file_is_one_clear_error(folder, content, message):
    file = folder / "data_batch_3"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=f"^{file}: .*{message}"):
        _cifar10.load(folder, checksum=False)


def test_a_folder_without_the_files_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"no such folder; wanted is cifar-10-batches-py"):
        _cifar10.load(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"has neither data_batch_1 \.\.\. data_batch_5 and test_batch nor"):
        _cifar10.load(tmp_path)


def test_images_without_any_spread_are_refused(folder):
    for name in _cifar10.MD5:
        (folder / name).write_bytes(with_(data=np.full((IMAGES, 3072), 7, np.uint8)))
    with pytest.raises(DataError, match="a channel has one value in all pixels"):
        _cifar10.load(folder, checksum=False)


@jax.numpy_dtype_promotion("standard")  # optax's schedule wants it.
def test_the_learning_rate_falls_to_a_tenth_twice():
    for name, recipe in optimizers([3, 5]).items():
        optimizer = recipe(0.1)
        params = {"w": jnp.full(3, 2.0)}
        state = optimizer.init(params)
        sizes = []
        for _ in range(7):
            # At a gradient of 0 all that moves is the weight decay.
            updates, state = optimizer.update({"w": jnp.zeros(3)}, state, params)
            sizes.append(float(updates["w"][0]))
        decay = 2.0 * WEIGHT_DECAY
        momentum = [sum(0.9**i for i in range(t + 1)) if name == "SGD" else 1 for t in range(7)]
        rates = [0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
        expected = [-rate * decay * factor for rate, factor in zip(rates, momentum, strict=True)]
        np.testing.assert_allclose(sizes, expected, rtol=1e-5)


def results_of(sgd, adam, radam, jitter=0.1):
    """Curves of two points that end at these accuracies in %, over the rates; seeds differ a little."""
    noise = jitter * np.array([[1, 0, -1], [0, -1, 1], [-1, 1, 0], [1, -1, 0]])
    return {
        name: {"test_accuracy": np.stack([noise, (np.array(values)[:, None] + (i + 1) * noise)], -1) / 100}
        for i, (name, values) in enumerate({"SGD": sgd, "Adam": adam, "RAdam": radam}.items())
    }


def test_the_papers_results_confirm_all_claims():
    results = results_of([91.5, 90, 89, 88], [89.0, 90.5, 90, 87], [91.1, 91.4, 91, 90.5], jitter=0.02)
    found = findings(results, cifar=True)
    assert len(found) == 8
    assert all(finding.agrees and not finding.note for finding in found)
    assert len(findings(results, cifar=False)) == 4


def test_other_results_disagree_with_a_reason():
    results = results_of([90, 90, 90, 90], [93, 93.5, 93, 93], [92, 91, 90, 80])
    sensitivity, radam_adam, sgd_radam, _, *numbers = findings(results, cifar=True)
    assert not sensitivity.agrees
    assert sensitivity.note.startswith("the opposite holds here, by 11.")
    assert "RAdam is weakest" not in sensitivity.note
    assert "RAdam is weakest at 0.003" in findings(results, cifar=False)[0].note
    assert not radam_adam.agrees
    assert radam_adam.note.startswith("the opposite holds here, by 1.5")
    assert not sgd_radam.agrees
    assert [finding.agrees for finding in numbers] == [False, False, False, False]
    # The reason is given only where it holds.
    steep = findings(results_of([90] * 4, [93] * 4, [80, 91, 92, 92]), cifar=False)[0]
    assert not steep.agrees
    assert "RAdam is weakest" not in steep.note


def test_a_difference_within_the_spread_is_undecided():
    found = findings(results_of([90] * 4, [90] * 4, [90.1] * 4, jitter=1.0), cifar=False)
    assert not found[1].agrees
    assert "undecided: the difference" in found[1].note


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-checksum"], "--no-checksum is of --data-dir"),
        (["--depth", "10"], "argument --depth: must be 6 n + 2, n >= 1; got 10"),
        (["--batch", "541"], "argument --batch: must be at most the 540 training images; got 541"),
    ],
)
def test_a_bad_option_is_one_clear_error(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        learning_rates.main([*arguments, "--out", str(tmp_path)])
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {message}")


def test_the_held_out_images_may_come_in_batches():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(10, 8, 8, 1)).astype(np.float32)
    test = Split(images, rng.integers(10, size=10).astype(np.int32))
    model = small_resnet()
    forward(model, images[:4])
    model.eval()
    at_once, in_parts = (
        nnx.jit(classification(small_resnet, test, test, 5, test_batch=size).evaluate)(model, test)
        for size in (None, 4)
    )
    assert at_once["test_accuracy"] == in_parts["test_accuracy"]
    np.testing.assert_allclose(at_once["test_loss"], in_parts["test_loss"], rtol=1e-5)


@pytest.mark.full
@jax.numpy_dtype_promotion("standard")
def test_the_whole_study_on_files_of_cifar10s_format(folder, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--no-checksum", "--quick", "--seeds", "1", "--batch", "25", "--depth", "8"]
    learning_rates.main(["--data-dir", str(folder), *options, "--out", str(out)])
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert summary["results"]["data"] == "CIFAR-10"
    assert summary["results"]["steps"] == 4
    with (out / "curves.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(RATES)
    assert all(np.isfinite(float(row["test_loss"])) for row in rows)
    assert (out / "learning_rates.png").exists()
    assert "The digits are not CIFAR-10" not in capsys.readouterr().out


@pytest.mark.full
@jax.numpy_dtype_promotion("standard")
def test_resnet_20_trains_on_files_of_cifar10s_format(folder, tmp_path):
    options = argparse.Namespace(data_dir=folder, no_checksum=True, quick=False, batch=16, depth=None)
    problem = learning_rates.cifar10(options)
    task = classification(
        problem.make,
        problem.data,
        problem.test,
        problem.batch,
        augmentation=problem.augmentation,
        test_batch=8,
    )
    study = Study("learning_rates", "", ["--out", str(tmp_path / "out")], {})
    recipe = optimizers([1])["RAdam"]
    curves = train(
        study, "RAdam", task, recipe, (0.1,), seeds=1, steps=2, chunk=1, status=str, mapped=problem.mapped
    )
    assert curves["train_loss"].shape == (1, 1, 2)
    assert np.isfinite(curves["train_loss"]).all()
