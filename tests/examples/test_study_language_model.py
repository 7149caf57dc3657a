"""The language model's parts: exact probabilities, a state that goes on, texts in the right numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

for package in ("matplotlib", "orbax", "rich"):
    pytest.importorskip(package)
nnx = pytest.importorskip("flax.nnx")

from examples.data import text as _text
from examples.data.split import DataError
from examples.models.adaptive_softmax import AdaptiveSoftmax
from examples.models.lstm import LanguageModel, run_lstm
from examples.studies.language_model.findings import findings
from examples.studies.language_model.optimizers import recipe
from examples.tasks.language import STREAMS, language_task


def corpus(train: int = 1000, held_out: int = 2000, words: int = 20) -> _text.Corpus:
    """Words 0, 1, ..., words - 1, 0, 1, ... as a text."""
    text = np.arange(max(train, held_out), dtype=np.int32) % words
    names = tuple(map(str, range(words)))
    return _text.Corpus(
        text[:train], text[:held_out], names, np.bincount(text[:train], minlength=words), "it"
    )


def small_task(**changes):
    sizes = {"hidden": 8, "embedding": 6, "batch": 4, "held_out": 1280, "unroll": 5, "dropout": 0.1}
    return language_task(corpus(), **(sizes | changes))


@nnx.jit(static_argnames="dropout")
def small_model(dropout=0.1):
    return LanguageModel(50, (10, 20), 6, 8, batch=4, dropout=dropout, rngs=nnx.Rngs(0))


losses_of = nnx.jit(LanguageModel.losses)


def log_softmax(x):
    return x - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)) - x.max(-1, keepdims=True)


@pytest.mark.parametrize("cutoffs", [(30,), (5, 12), (1, 2, 3)])
def test_the_adaptive_softmax_gives_the_probabilities_of_all_words(cutoffs):
    softmax = AdaptiveSoftmax(16, 40, cutoffs, rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    losses = np.stack([softmax.loss(jnp.asarray(x), jnp.full(3, word)) for word in range(40)], axis=1)
    np.testing.assert_allclose(np.exp(-losses).sum(axis=1), 1.0, rtol=1e-5)

    wide = x.astype(np.float64)
    head = log_softmax(wide @ np.asarray(softmax.head.kernel[...]) + np.asarray(softmax.head.bias[...]))
    expected = [head[:, : cutoffs[0]]]
    for i, tail in enumerate(softmax.tails):
        down, up = (np.asarray(layer.kernel[...], np.float64) for layer in tail.layers)
        assert down.shape == (16, max(1, 16 // 4 ** (i + 1)))
        expected.append(head[:, cutoffs[0] + i, None] + log_softmax(wide @ down @ up))
    np.testing.assert_allclose(-losses, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-5)


def test_the_fast_lstm_is_the_lstm():
    cell = nnx.OptimizedLSTMCell(3, 5, rngs=nnx.Rngs(0))
    cell.dense_h.bias[...] = jnp.linspace(-1, 1, 20)
    state, x = (jax.random.normal(jax.random.key(i), s) for i, s in enumerate([(2, 4, 5), (7, 4, 3)]))
    last, h = run_lstm(cell, state, x)
    rnn = nnx.RNN(cell, time_major=True, return_carry=True, rngs=nnx.Rngs(0))
    expected = rnn(x, initial_carry=tuple(state))
    np.testing.assert_allclose(last, jnp.stack(expected[0]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(h, expected[1], rtol=1e-5, atol=1e-6)


def test_the_model_has_the_papers_parts():
    model = small_model()
    lstm = 4 * 8 * (6 + 8 + 1) + 4 * 8 * (8 + 8 + 1)
    softmax = 12 * (8 + 1) + 2 * (8 + 10) + 1 * (8 + 30)
    assert sum(x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param))) == 50 * 6 + lstm + softmax
    assert model.memory[...].shape == (2, 2, 4, 8)
    memory, losses = losses_of(model, model.blank(3), jnp.zeros((3, 8), jnp.int32))
    assert (memory.shape, losses.shape) == ((2, 2, 3, 8), (3, 7))
    # Before it learns anything, no word is far from chance in its cluster.
    assert abs(float(losses.mean()) - np.log(12)) < 1


def test_a_batch_goes_on_where_the_last_one_ended():
    task = small_task(dropout=0.0)
    model = nnx.jit(lambda: task.make(nnx.Rngs(0)))()
    text = jnp.asarray(np.arange(44).reshape(4, 11) % 20)
    _, whole = losses_of(model, model.blank(4), text)
    loss = nnx.jit(task.loss)
    first = loss(model, text[:, :6])
    assert np.abs(model.memory[...]).max() > 0
    second = loss(model, text[:, 5:])
    np.testing.assert_allclose([first, second], [whole[:, :5].mean(), whole[:, 5:].mean()], rtol=1e-5)


def test_dropout_acts_in_training_alone():
    model = small_model(dropout=0.5)
    text = jnp.zeros((4, 8), jnp.int32)
    one, other = (losses_of(model, model.blank(4), text)[1].mean() for _ in range(2))
    assert one != other
    model.eval()
    one, other = (losses_of(model, model.blank(4), text)[1].mean() for _ in range(2))
    assert one == other


def test_streams_go_on_from_batch_to_batch_around_the_end_of_the_text():
    task = small_task()
    starts = task.choose(1, 300)
    assert starts.shape == (300, 4)
    np.testing.assert_array_equal(starts[:7], task.choose(1, 7))
    assert np.any(starts != task.choose(2, 300))
    batches = task.take(starts)
    assert batches.shape == (300, 4, 6)
    np.testing.assert_array_equal(batches[1:, :, 0], batches[:-1, :, -1])
    np.testing.assert_array_equal(np.diff(batches, axis=-1) % 20, 1)
    np.testing.assert_array_equal(np.diff(starts, axis=1), 250)


def test_held_out_text_is_read_in_order_from_a_blank_state():
    task = small_task()
    assert task.held_out.shape == (1280 // (STREAMS * 5), STREAMS, 6)
    model = nnx.jit(lambda: task.make(nnx.Rngs(0)))()
    model.memory[...] = jnp.ones_like(model.memory[...])
    model.eval()
    streams = task.held_out[:, :, :-1].transpose(1, 0, 2).reshape(STREAMS, -1)
    text = np.concatenate([streams, task.held_out[-1, :, -1:]], axis=1)
    _, losses = losses_of(model, model.blank(STREAMS), jnp.asarray(text))
    measured = nnx.jit(task.evaluate)(model, task.held_out)["test_loss"]
    np.testing.assert_allclose(measured, losses.mean(), rtol=1e-5)


def test_a_text_too_short_is_an_error():
    sizes = {"hidden": 8, "embedding": 6, "batch": 4, "held_out": 1280}
    with pytest.raises(DataError, match="held-out text has 600 words, and 672 are wanted"):
        language_task(corpus(held_out=600), **sizes)
    with pytest.raises(DataError, match="has 15 words to learn, and at least 16"):
        language_task(corpus(words=15), **sizes)


def test_the_unigram_loss_is_that_of_smoothed_frequencies():
    text = _text.Corpus(np.zeros(0), np.array([0, 1, 1, 2]), ("a", "b", "c"), np.array([6, 1, 0]), "it")
    expected = -np.log(np.array([7, 2, 2, 1]) / 10).mean()
    assert text.unigram_loss() == pytest.approx(expected)


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_the_sources_become_words(tmp_path):
    files = {f"a/{i}.py": "x = f(x)\n\nx  += 1\n" for i in range(20)}
    write(tmp_path, files | {"test/b.py": "y\n", "a/encodings/c.py": "y\n", "d.txt": "y\n"})
    read = _text.standard_library(1, 3, 100, tmp_path)
    # Of 20 files, 18 are for training; 10 words and ends a file, the empty line is none.
    assert read.source == "the sources of Python's standard library (20 files)"
    assert (len(read.train), len(read.held_out)) == (18 * 12, 2 * 12)
    assert read.words == ("<unk>", "x", "</s>", "=", "(", ")", "+", "1", "f")
    np.testing.assert_array_equal(read.counts, [0, 54, 36, 36, 18, 18, 18, 18, 18])
    text = " ".join(read.words[i] for i in read.train[:12])
    assert text == "x = f ( x ) </s> x + = 1 </s>"


def test_rare_words_and_those_beyond_the_vocabulary_are_one(tmp_path):
    sentences = "a b\na b\na c\na a d\n"
    folders = {_text.TRAINING[0] + "/news.en-00001-of-00100": sentences}
    write(tmp_path, folders | {_text.HELD_OUT[0] + "/news.en.heldout-00000-of-00050": "b e a\n"})
    read = _text.one_billion_word(tmp_path, 1, 1, 100)
    assert read.words == ("<unk>", "a", "</s>", "b")
    np.testing.assert_array_equal(read.train, [1, 3, 2, 1, 3, 2, 1, 0, 2, 1, 1, 0, 2])
    np.testing.assert_array_equal(read.held_out, [3, 0, 1, 2])
    np.testing.assert_array_equal(read.counts, [2, 5, 4, 2])
    assert _text.one_billion_word(tmp_path, 1, 1, 3).words == ("<unk>", "a", "</s>")


def test_a_source_is_read_in_its_encoding(tmp_path):
    write(tmp_path, {f"{i}.py": "# coding: latin-1\nä\n".encode("latin-1") for i in range(10)})
    assert "ä" in _text.standard_library(1, 3, 100, tmp_path).words


def test_no_more_text_is_read_than_asked_for(tmp_path):
    train, held_out = (f"{f}/{p.replace('*', '0')}" for f, p in (_text.TRAINING, _text.HELD_OUT))
    write(tmp_path, {train: "a b\n" * 300_000, held_out: "a\n"})
    assert len(_text.one_billion_word(tmp_path, 1, 1, 9).train) == 3 * 250_000


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "training-monolingual.tokenized.shuffled: is no folder; wanted is"),
        ({_text.TRAINING[0] + "/a.txt": "a"}, "has no file news.en-*-of-*, as"),
        ({_text.TRAINING[0] + "/news.en-1-of-2": b"a\n\xff\n"}, "news.en-1-of-2: line 2 is not UTF-8"),
        (
            {
                _text.TRAINING[0] + "/news.en-1-of-2": "\n \n",
                _text.HELD_OUT[0] + "/news.en.heldout-1-of-2": "a",
            },
            "the training text is empty",
        ),
    ],
)
def test_a_bad_folder_is_named(files, message, tmp_path):
    write(tmp_path, files)
    with pytest.raises(DataError) as error:
        _text.one_billion_word(tmp_path, 1, 3, 100)
    assert message in str(error.value)


def test_a_folder_without_sources_is_named(tmp_path):
    with pytest.raises(DataError, match="has only 0 sources to read, and at least 10 are wanted"):
        _text.standard_library(1, 3, 100, tmp_path)


def test_this_pythons_library_is_a_text():
    read = _text.standard_library(1, 3, 1000)
    assert len(read.words) == 1000
    assert {"self", "def", "return", "</s>"} < set(read.words[:50])
    assert np.all(np.diff(read.counts[1:]) <= 0)
    assert 0 < len(read.held_out) < len(read.train)
    assert read.counts.sum() == len(read.train)


def test_gradients_are_clipped_and_the_rate_falls_at_epoch_10_of_14():
    optimizer = recipe(lambda rate, b1, b2: optax.sgd(rate), 28)(1.0)
    state, lengths = optimizer.init(jnp.zeros(2)), []
    with jax.numpy_dtype_promotion("standard"):  # The schedule of optax needs it.
        for _ in range(28):
            updates, state = optimizer.update(jnp.array([30.0, 40.0]), state)
            lengths.append(float(jnp.linalg.norm(updates)))
    np.testing.assert_allclose(lengths, [5.0] * 18 + [0.5] * 10, rtol=1e-6)


@pytest.mark.parametrize(
    ("early", "late", "agrees", "notes"),
    [
        (0.9, (0.9, 0.95, 0.99), (True, True), ("", "")),
        (1.1, (0.9, 0.95, 1.0), (False, False), ("rectifier takes 86%", "seeds differ")),
        (1.1, (1.2, 1.1, 1.0), (False, False), ("rectifier takes 86%", "rectifier takes 40%")),
    ],
)
def test_the_findings_follow_the_numbers(early, late, agrees, notes):
    adam = np.full((3, 20), 50.0)
    radam = adam * early
    radam[:, -1] = adam[:, -1] * late
    learns, starts, ends = findings(adam, radam, 100, 160.0)
    assert learns.agrees
    assert (starts.agrees, ends.agrees) == agrees
    for finding, note in zip((starts, ends), notes, strict=True):
        assert note in finding.note
        assert bool(note) == bool(finding.note)
    assert "ratio 0.967" in ends.published


def test_a_short_run_does_not_say_which_ends_better():
    perplexities = np.full((2, 20), 50.0)
    assert [len(findings(perplexities, perplexities, chunk, 60.0)) for chunk in (49, 50)] == [2, 3]


def test_a_model_no_better_than_frequencies_has_not_learnt():
    perplexities = np.full((2, 20), 50.0)
    assert not findings(perplexities, perplexities, 10, 49.0)[0].agrees
