"""The study of warmup: its numbers in words, its Transformer, its text pairs, and findings that can fail."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

for package in ("matplotlib", "orbax", "rich", "tokenizers"):
    pytest.importorskip(package)
nnx = pytest.importorskip("flax.nnx")

import radam_optax as rx
from examples.data import numbers as _numbers
from examples.data import translation as _translation
from examples.data.pairs import PAD, START, padded, unigram_entropy
from examples.data.split import DataError
from examples.lab.side_by_side import EDGES, magnitudes, side_by_side
from examples.lab.study import Study
from examples.lab.training import train
from examples.models.transformer import Transformer, sinusoids
from examples.studies.warmup import study as warmup
from examples.studies.warmup.depths import DEPTHS, RATES
from examples.studies.warmup.figures import SHOWN, medians
from examples.studies.warmup.findings import EARLY, findings_of, map_findings
from examples.studies.warmup.optimizers import (
    ADAM,
    B2,
    EPS,
    EXPONENTIAL,
    RADAM,
    RAISED,
    UNTUNED,
    WARMUP,
    multipliers,
    optimizers,
    raised,
)
from examples.studies.warmup.runs import watched_steps
from examples.tasks.sequences import cross_entropy, exact_match
from examples.tasks.translation import numbers_task, text_task


@nnx.jit
def apply(model, *arguments):
    return model(*arguments)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety nine"),
        (100, "one hundred"),
        (215, "two hundred and fifteen"),
        (1000, "one thousand"),
        (5020, "five thousand and twenty"),
        (312_005, "three hundred and twelve thousand and five"),
        (700_400, "seven hundred thousand four hundred"),
        (999_999, "nine hundred and ninety nine thousand nine hundred and ninety nine"),
    ],
)
def test_numbers_in_words(number, words):
    assert " ".join(_numbers.in_words(number)) == words


def test_numbers_are_held_out_and_blindness_costs_what_it_says():
    data, held_out = _numbers.load()
    assert len(data.source) == _numbers.TRAINING
    assert len(held_out.source) == _numbers.HELD_OUT
    assert not {*map(tuple, held_out.target)} & {*map(tuple, data.target)}
    symbols = np.mean([len(str(number)) + 1 for number in range(_numbers.LIMIT)])
    np.testing.assert_allclose(_numbers.BLIND_LOSS, np.log(1e6) / symbols)
    assert _numbers.BLIND_LOSS < unigram_entropy(data.target) < np.log(11)


def test_unigram_entropy():
    targets = padded([[3]] * 2, [[3, 3], [4]]).target  # Symbols 3 3 END, 4 END.
    p = np.array([2, 1, 2]) / 5
    np.testing.assert_allclose(unigram_entropy(targets), -(p * np.log(p)).sum())


@pytest.fixture(scope="module")
def transformer():
    return Transformer(9, 7, nnx.Rngs(0), layers=3, width=8, heads=2, hidden=16)


def test_a_transformer_has_the_papers_shapes(transformer):
    sizes = {"attention": 4 * (8 * 8 + 8), "feed forward": 8 * 16 + 16 + 16 * 8 + 8, "norm": 16}
    encoder = sizes["attention"] + sizes["feed forward"] + 2 * sizes["norm"]
    decoder = 2 * sizes["attention"] + sizes["feed forward"] + 3 * sizes["norm"]
    parameters = jax.tree.leaves(nnx.state(transformer, nnx.Param))
    assert sum(x.size for x in parameters) == (9 + 7) * 8 + 3 * (encoder + decoder)
    kernel = transformer.encoder.transform.function.inner.kernel[...]
    assert kernel.shape == (3, 8, 16)
    assert not np.array_equal(kernel[0], kernel[1])
    np.testing.assert_allclose(np.square(sinusoids(5, 8)).sum(axis=1), 4, rtol=1e-6)


def test_a_transformer_sees_neither_the_future_nor_padding(transformer):
    source = jnp.array([[3, 4, 5, PAD]])
    target = jnp.array([[START, 3, 4, 5]])
    logits = apply(transformer, source, target)
    assert logits.shape == (1, 4, 7)
    later = apply(transformer, source, target.at[0, 3].set(6))
    np.testing.assert_array_equal(logits[:, :3], later[:, :3])
    assert not np.allclose(logits[:, 3], later[:, 3])
    np.testing.assert_allclose(apply(transformer, source[:, :3], target), logits, rtol=1e-4, atol=1e-5)
    assert not np.allclose(apply(transformer, source.at[0, 0].set(6), target), logits)


def test_layernorm_comes_last(transformer):
    x = transformer.encoder
    layer = jax.tree.map(lambda a: a[0], nnx.split(x)[1])
    out = nnx.merge(nnx.split(x)[0], layer)(
        jax.random.normal(jax.random.key(0), (2, 3, 8)), jnp.ones((1, 1, 1, 3), bool)
    )
    np.testing.assert_allclose(out.mean(axis=-1), 0, atol=1e-6)
    np.testing.assert_allclose(out.std(axis=-1), 1, atol=1e-3)


def test_dropout_differs_from_call_to_call_until_evaluation():
    model = Transformer(9, 7, nnx.Rngs(0), layers=2, width=8, heads=2, hidden=16, dropout=0.3)
    arguments = jnp.array([[3, 4]]), jnp.array([[START, 3]])
    assert not np.allclose(apply(model, *arguments), apply(model, *arguments))
    model.eval()
    np.testing.assert_array_equal(apply(model, *arguments), apply(model, *arguments))


def test_losses_count_each_symbol_once():
    source, target = map(jnp.asarray, padded([[3], [4]], [[3, 4], [5]]))
    logits = jax.random.normal(jax.random.key(0), (2, 3, 7))

    def model(_, before):
        assert before.shape == (2, 3)
        return logits

    scores = np.log(np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True))
    true = [(0, 0, 3), (0, 1, 4), (0, 2, 2), (1, 0, 5), (1, 1, 2)]
    plain = -np.mean([scores[i] for i in true])
    np.testing.assert_allclose(cross_entropy(model, source, target), plain, rtol=1e-5)
    flat = -np.mean([scores[i[:2]].mean() for i in true])
    smoothed = cross_entropy(model, source, target, smoothing=0.1)
    np.testing.assert_allclose(smoothed, 0.9 * plain + 0.1 * flat, rtol=1e-5)

    half = jax.nn.one_hot(target[:, 1:], 7).at[0, 1, 4].set(-1)
    np.testing.assert_allclose(exact_match(lambda *_: half, source, target), 0.5)


def test_gradients_are_counted_in_their_bins():
    gradient = jnp.array([0.0, 1e-30, 2e-6, -2e-6, 0.5, 30.0])
    counts = np.asarray(magnitudes(gradient))
    expected, _ = np.histogram(np.log10([1.1e-12, 1.1e-12, 2e-6, 2e-6, 0.5, 1.7]), EDGES)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_allclose(medians(np.eye(len(EDGES) - 1)), EDGES[:-1] + 0.125)


def test_side_by_side_is_training_one_by_one(tmp_path):
    task = numbers_task(layers=1, width=8, batch=4, dropout=0.1)
    study = Study("warmup", "", ["--out", str(tmp_path)], {})
    both = side_by_side(
        study, "both", task, [rx.sgd(0.1), rx.adam(0.01)], seeds=2, steps=4, chunk=2,
        watched=[1, 3], status=lambda _: "",
    )  # fmt: skip
    assert both["train_loss"].shape == (2, 2, 4)
    assert both["test_exact"].shape == (2, 2, 2)
    assert both["magnitudes"].shape == (2, 2, 2, len(EDGES) - 1)
    np.testing.assert_array_equal(both["magnitudes"].sum(axis=-1), both["magnitudes"][0, 0, 0].sum())
    alone = train(
        study, "alone", task, rx.adam, [0.01], seeds=2, steps=4, chunk=2, status=lambda _: ""
    )  # fmt: skip
    np.testing.assert_allclose(both["test_loss"][1], alone["test_loss"][0], rtol=1e-4)
    means = both["train_loss"][1].reshape(2, 2, 2).mean(axis=-1)
    np.testing.assert_allclose(means, alone["train_loss"][0], rtol=1e-4)


def test_all_optimizers_start_as_they_should():
    updates = {}
    for name, optimizer in optimizers(rate=0.1, steps=1000, warmup=100, freeze=2).items():
        params, gradient = jnp.ones(3), jnp.full(3, 0.5)
        updates[name] = float(optimizer.update(gradient, optimizer.init(params), params)[0][0])
    expected = {
        ADAM: -0.1, WARMUP: -0.001, "Adam + untuned linear": -0.1 * 0.0005,
        "Adam + untuned exponential": 0.1 * np.expm1(-0.001), "Adam-2k": 0,
        EPS: -0.1 * 0.5 * np.sqrt(0.001) / (0.5 * np.sqrt(0.001) + 1e-4), "RAdam": -0.05,
        "RAdam, no SGD phase": 0, "RAdam, exact variance": -0.05,
        RAISED: -0.05 * raised(steps=1000, warmup=100),
    }  # fmt: skip
    assert updates == {name: pytest.approx(value, rel=1e-4) for name, value in expected.items()}


@pytest.mark.parametrize(("steps", "warmup"), [(100, 25), (3000, 4)])
def test_the_steps_of_a_raised_rate_sum_to_those_of_the_tuned_warmup(steps, warmup):
    counts, parts = np.arange(steps), multipliers(steps, warmup)
    for name, schedule in (
        (UNTUNED, rx.untuned_linear_warmup),
        (EXPONENTIAL, rx.untuned_exponential_warmup),
    ):
        expected = np.asarray(schedule(1.0, b2=B2)(counts)) * (1 - counts / steps)
        np.testing.assert_allclose(parts[name], expected, rtol=1e-5)
    total = raised(steps, warmup) * parts[RADAM].sum()
    assert total == pytest.approx(sum((1 - i / steps) * min(1, (i + 1) / warmup) for i in counts))


def papers_outcome():
    names = [*optimizers(rate=0.1, steps=10, warmup=1, freeze=1)]
    last = {name: np.array([0.5, 0.6]) for name in names}
    last |= {ADAM: np.array([2.3, 2.2]), EPS: np.array([1.0, 1.1])}
    middle = {name: np.full((2, 10), -3.0) for name in SHOWN}
    middle[ADAM] = np.linspace(-3, -5, 10)[None].repeat(2, axis=0)
    return last, middle


def test_findings_agree_with_the_papers_outcome():
    findings = findings_of(*papers_outcome(), stuck=2.0, steps=500, warmup=100)
    assert [finding.agrees for finding in findings] == [True] * 8


@pytest.mark.parametrize(
    ("name", "losses", "failing"),
    [
        (ADAM, [2.3, 0.5], 0),
        ("Adam-2k", [2.3, 2.3], 1),
        ("RAdam", [np.nan, 0.5], 1),
        (EPS, [2.3, 2.3], 2),
        (EPS, [0.5, 0.5], 2),
        ("RAdam", [0.3, 0.3], 3),
        ("RAdam", [0.9, 0.9], 4),
        (RAISED, [0.9, 0.9], 5),
        ("RAdam, exact variance", [0.9, 0.9], 6),
    ],
)
def test_a_finding_can_fail(name, losses, failing):
    last, middle = papers_outcome()
    findings = findings_of(last | {name: np.array(losses)}, middle, stuck=2.0, steps=500, warmup=100)
    assert not findings[failing].agrees


def test_a_run_that_diverges_is_no_run_that_trains():
    last, middle = papers_outcome()
    findings = findings_of(
        last | {ADAM: np.array([np.nan, np.nan])}, middle, stuck=2.0, steps=500, warmup=100
    )
    assert findings[0].agrees
    unmoved = {name: np.full((2, 10), -3.0) for name in SHOWN}
    assert not findings_of(last, unmoved, stuck=2.0, steps=500, warmup=100)[7].agrees


def test_the_map_names_the_rates_that_need_warmup():
    shape = len(DEPTHS), len(RATES)
    adam, warm = np.full(shape, 1.0), np.full(shape, 1.0)
    assert not map_findings(adam, warm, 2.0, DEPTHS, RATES)[0].agrees
    adam[-1, 1:], adam[-2, 2:] = np.nan, 2.4
    finding = map_findings(adam, warm, 2.0, DEPTHS, RATES)[0]
    assert finding.agrees
    assert finding.measured == "6+6 from rate 0.004; 8+8 from rate 0.002"
    adam[0, 0] = 2.4
    assert not map_findings(adam, warm, 2.0, DEPTHS, RATES)[0].agrees


LINES = {
    "de": "das haus ist alt\nder hund\n\nein haus\n",
    "en": "the house is old\nthe dog\na cat\na house\n",
}


@pytest.fixture
def folder(tmp_path):
    for part, (language, lines) in itertools.product(("train", "valid"), LINES.items()):
        (tmp_path / f"{part}.{language}").write_text(lines, "utf-8")
    return tmp_path


def load(folder, **options):
    sizes = {"source": "de", "target": "en", "vocabulary": 60, "length": 8, "held_out": 2} | options
    return _translation.load(folder, folder, **sizes)


def test_text_pairs(folder):
    corpus = load(folder)
    assert len(corpus.data.source) == len(corpus.data.target) == 3  # One has a blank side.
    assert len(corpus.held_out.source) == 2
    assert corpus.left_out == 0
    assert (corpus.data.target[:, 0] == START).all()
    assert max(corpus.data.source.max(), corpus.data.target.max()) < corpus.vocabulary <= 60
    (cache,) = folder.glob("bpe-*.json")
    stamp = cache.stat().st_mtime_ns
    again = load(folder)
    assert cache.stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(again.data.source, corpus.data.source)
    assert load(folder, length=3).left_out > 0
    task = text_task(corpus, layers=1, width=8, batch=2)
    model = task.make(nnx.Rngs(0))
    loss = task.loss(model, task.take(task.choose(0, 1)[0]))
    assert 0 < loss < 3 * np.log(corpus.vocabulary)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train.de", None, "No such file or directory; wanted: plain text, a sentence per line"),
        ("valid.en", b"one\n", "1 lines where valid.de has 4; wanted: line n is the translation of line n"),
        ("train.en", b"\n \n", "empty; wanted: plain text"),
        ("train.en", b"caf\xe9\n", "not UTF-8 at byte 3; wanted: plain text in UTF-8"),
    ],
)
def test_broken_text_pairs(folder, file, content, message):
    path = folder / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as error:
        load(folder)
    assert str(error.value).startswith(f"{path}: {message}")


def test_text_that_is_too_long(folder):
    with pytest.raises(DataError, match="no pair of sentences has at most 1 pieces"):
        load(folder, length=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", "0"], "argument --rate: must be a number > 0; got '0'"),
        (["--rate", "nan"], "argument --rate: must be a number > 0; got 'nan'"),
        (["--width", "12"], "argument --width: must be a multiple of 8; got 12"),
    ],
)
def test_bad_options(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        warmup.main([*arguments, "--out", str(tmp_path)])
    assert capsys.readouterr().err.splitlines()[-1].endswith(message)


def test_watched_steps_begin_with_all():
    assert watched_steps(50)[:EARLY] == [*range(1, EARLY + 1)]
    assert watched_steps(50)[-1] == 50
