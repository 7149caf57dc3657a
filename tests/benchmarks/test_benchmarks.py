"""Every benchmark writes what it promises, with figures that agree with each other; none is timed here."""

import functools
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx

for package in ("flax", "matplotlib", "mpmath", "rich"):
    pytest.importorskip(package)

from benchmarks.commands import compile, report
from benchmarks.frame.benchmark import Machine, grid
from benchmarks.frame.spread import spread
from benchmarks.subjects.peers import CATALOGUE
from benchmarks.subjects.shapes import SHAPES
from benchmarks.timing.child import Child, ChildError
from benchmarks.timing.jax_step import JaxStep, gradients_of
from benchmarks.timing.limit import COPY, SCALE
from benchmarks.timing.rounds import interleaved
from tests.support import programs

ROOT = Path(__file__).parents[2]
FIGURES = {"median", "low", "high"}


run = functools.partial(programs.run, "benchmarks")


def run_without_cache(*arguments: str) -> tuple[int, str, str]:
    """The same of a process of its own, since what is measured is compilation."""
    command = [sys.executable, "-W", "error", "-m", "benchmarks", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=600
    )
    return done.returncode, done.stdout, done.stderr


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def result_of(name, folder, *options, run=run):
    """What a quick run has written, after what every benchmark promises has been checked."""
    from matplotlib.image import imread

    code, out, err = run(name, "--quick", *options, "--out", str(folder))
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert {file.name for file in folder.iterdir()} == {f"{name}.json", f"{name}.png", f"{name}-dark.png"}
    result = json.loads((folder / f"{name}.json").read_text("utf-8"), parse_constant=refuse)
    assert (result["benchmark"], result["options"]["quick"]) == (name, True)
    assert {"jax", "optax"} <= set(result["versions"])
    assert result["rows"]
    assert str(Machine(**result["machine"])) in out
    for table in result["tables"]:
        assert table["title"] in out
        assert {len(row) for row in table["rows"]} == {len(table["header"])}
        assert all(cell in out for row in table["rows"] for cell in row)
    picture = imread(folder / f"{name}.png")
    assert min(picture.shape[:2]) >= 400
    assert picture[..., :3].std() > 0.03
    return result


def agrees(figures, values):
    """Whether a median and quartiles are those of the values of each round."""
    assert set(figures) == FIGURES
    quantiles = np.quantile(values, [0.25, 0.5, 0.75])
    np.testing.assert_allclose([figures[key] for key in ("low", "median", "high")], quantiles, rtol=1e-9)
    return True


def test_step(tmp_path):
    torch_peers = ("for-loop", "foreach", "fused") if importlib.util.find_spec("torch") else ()
    peers = ",".join(("optax", *torch_peers))
    options = ("--optimizers", "adam,radam_amsgrad", "--shapes", "3x1k", "--peers", peers)
    rows = result_of("step", tmp_path, *options, "--multi-output-fusion", "--rounds", "4")["rows"]
    of = {(row["optimizer"], row["competitor"]): row for row in rows}
    limits = {SCALE, COPY}
    assert {name for optimizer, name in of if optimizer == "radam_amsgrad"} == {
        "radam_optax", "radam_optax, flag", *limits
    }  # fmt: skip
    assert {name for optimizer, name in of if optimizer == "adam"} == {
        "radam_optax", "optax", "radam_optax, flag", "optax, flag", *torch_peers, *limits
    }  # fmt: skip
    for (optimizer, _), row in of.items():
        assert (row["leaves"], row["parameters"]) == (3, 3000)
        ours = of[optimizer, "radam_optax"]
        # 28 or 36 per parameter, and a few counts and numbers of the step.
        assert 0 <= row["bytes"] - {"adam": 28, "radam_amsgrad": 36}[optimizer] * 3000 < 100
        assert len(row["rounds"]) == 4
        assert agrees(row["seconds"], row["rounds"])
        assert row["gb_per_s"] * row["seconds"]["median"] == pytest.approx(row["bytes"] / 1e9)
        assert agrees(row["ours_over_this"], np.divide(ours["rounds"], row["rounds"]))
        limit = min((of[optimizer, name] for name in limits), key=lambda row: row["seconds"]["median"])
        amount = row["bytes"] / limit["bytes"]
        assert agrees(row["of_limit"], amount * np.divide(limit["rounds"], row["rounds"]))
    assert ours["accessed_bytes"] >= ours["bytes"]


def test_compile(tmp_path):
    rows = result_of("compile", tmp_path, "--rounds", "2", run=run_without_cache)["rows"]
    assert len(rows) == 2 * 2
    ours = {r["leaves"]: r for r in rows if r["competitor"] == "radam_optax"}
    for row in rows:
        peer = ours[row["leaves"]]
        for phase in ("trace", "lower", "compile"):
            values, of_ours = ([one[phase] for one in r["rounds"]] for r in (row, peer))
            assert agrees(row[phase], values)
            assert agrees(row[f"{phase}_ours_over_this"], np.divide(of_ours, values))
        assert {one["equations"] for one in row["rounds"]} == {row["equations"]}
    one, ten = (ours[leaves]["equations"] for leaves in ("1-alike", "10-different"))
    assert ten > one + 9 * 10


def test_equations_are_those_of_inner_programs():
    @jax.jit
    def inner(x):
        return jnp.sin(x) + 1

    def outer(x):
        return inner(x) * inner(2 * x)

    jaxpr = jax.make_jaxpr(outer)(1.0).jaxpr
    names = sorted(equation.primitive.name for equation in compile.equations(jaxpr))
    assert names == ["add", "add", "mul", "mul", "sin", "sin"]


def test_numerics(tmp_path):
    rows = result_of("numerics", tmp_path)["rows"]
    r = {(row["b2"], row["competitor"]): row for row in rows if row["quantity"] == "r"}
    for b2 in (0.99, 0.999, 0.99999):
        assert r[b2, "radam_optax"]["worst"] < 4e-7
        assert r[b2, "radam_optax"]["wrong_branches"] == 0
    for peer in ("optax", "PyTorch capturable"):
        assert 3e-3 < r[0.999, peer]["worst"] < 1e-2
        assert r[0.99999, peer]["wrong_branches"] == 5
    updates = {
        (row["b2"], row["gradients"], row["competitor"]): row for row in rows if row["quantity"] == "update"
    }
    for (b2, kind, name), row in updates.items():
        assert 0 < row["first_10"] <= row["worst"]
        if name in ("radam_optax", "PyTorch"):
            assert row["worst"] < 2e-6
        elif b2 > 0.99:  # What the formula for r_t loses, the update has lost.
            assert row["worst"] > 3e-3, (name, kind)


def test_memory(tmp_path):
    rows = result_of("memory", tmp_path, "--optimizers", "radam")["rows"]
    state = {(row["competitor"], row["format"]): row["state_per_parameter"] for row in rows}
    assert state.pop(("optax", "float32")) == pytest.approx(8, abs=1e-3)
    expected = {
        "float32": 8, "mu bf16": 6, "mu, nu bf16": 4, "bfloat16_stochastic": 4,
        "bfloat16_nearest": 4, "bfloat16_compensated": 6, "int8_blockwise": 2 * (1 + 2 / 64),
        "float8_stochastic": 2,
    }  # fmt: skip
    assert state == pytest.approx({("radam_optax", name): size for name, size in expected.items()}, abs=1e-3)
    for row in rows:
        # Gradients, parameters, state and temporary buffers are all there at once, and nothing else.
        rest = row["peak"] - row["state"] - row["temporary"] - 8 * row["parameters"]
        assert 0 <= rest < 1000


def test_end_to_end(tmp_path):
    rows = result_of("end_to_end", tmp_path, "--models", "mlp", "--optimizers", "sgd")["rows"]
    assert [row["competitor"] for row in rows] == ["radam_optax", "optax"]
    for row in rows:
        rounds = {part: np.array(values) for part, values in row["rounds"].items()}
        assert all(agrees(row[part], values) for part, values in rounds.items())
        assert agrees(row["share"], 1 - rounds["gradient"] / rounds["step"])
        assert row["parameters"] == 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10


def test_report_keeps_results_and_is_the_same_twice(tmp_path):
    out, results, readme = tmp_path / "out", tmp_path / "results", tmp_path / "README.md"
    out.mkdir()
    result = {
        "benchmark": "step",
        "date": "2001-02-03",
        "machine": {"processor": "A CPU", "cores": 3, "device": ""},
        "versions": {"jax": "1.2"},
        "load": 0.25,
        "options": {"quick": False, "rounds": 7, "shapes": ["a", "b"], "multi_output_fusion": True},
        "notes": ["A note."],
        "tables": [{"title": "Times", "header": ["name", "s"], "rows": [["adam|w", "1.5"]]}],
        "rows": [{"rounds": [1.5]}],
    }
    later = result | {"date": "2001-02-04", "notes": ["A later note."]}
    other = later | {"options": {"quick": False, "rounds": 3}, "notes": ["Of another command."]}
    quick = result | {"benchmark": "memory", "options": {"quick": True}}
    readme.write_text(f"By hand.\n{report.BEGIN}\nOld.\n{report.END}\nBy hand, too.\n", "utf-8")
    arguments = ("report", "--out", str(out), "--results", str(results), "--readme", str(readme))
    texts = []
    for written in (result, later, later, other):
        (out / "step.json").write_text(json.dumps(written), "utf-8")
        (out / "memory.json").write_text(json.dumps(quick), "utf-8")
        code, _, err = run(*arguments)
        assert (code, err) == (0, "")
        texts.append(readme.read_text("utf-8"))
    first, second, third, fourth = texts
    assert second == third
    assert first.startswith(f"By hand.\n{report.BEGIN}\n")
    assert first.endswith(f"{report.END}\nBy hand, too.\n")
    assert "Old." not in first
    assert "## A CPU, 3 cores" in first
    assert "`python -m benchmarks step --rounds 7 --shapes a,b --multi-output-fusion`" in first
    assert "| name | s |\n| --- | --: |\n| adam\\|w | 1.5 |\n" in first
    assert "2001-02-03" in first
    assert "- A note." in first
    assert "- A later note." in fourth
    assert "- Of another command." in fourth
    assert "2001-02-03" not in second  # The latest is shown,
    files = {file.name for file in results.iterdir()}  # all are kept.
    assert files == {"2001-02-03-a-cpu-3-cores.json", "2001-02-04-a-cpu-3-cores.json"}
    kept = json.loads((results / "2001-02-03-a-cpu-3-cores.json").read_text("utf-8"))
    command = "python -m benchmarks step --rounds 7 --shapes a,b --multi-output-fusion"
    assert kept == {command: {key: value for key, value in result.items() if key != "rows"}}

    readme.write_text("No markers.", "utf-8")
    code, _, err = run(*arguments)
    assert code == 2
    assert "does not have the lines" in err


def test_the_readme_is_what_the_report_makes_of_the_results():
    text = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    written = text.partition(report.BEGIN)[2].partition(report.END)[0]
    assert written.strip() == report.render(ROOT / "benchmarks" / "results").strip()


def test_every_competitor_runs_once_in_every_round():
    calls = []

    def timer(name):
        def run():
            calls.append(name)
            return float(len(calls))

        return run

    names = "abcde"
    seconds = interleaved({name: timer(name) for name in names}, rounds=6, warm_up=2)
    rounds = [calls[i : i + 5] for i in range(0, len(calls), 5)]
    assert len(rounds) == 8
    assert all(sorted(one) == list(names) for one in rounds)
    assert len({tuple(one) for one in rounds}) > 4
    for name in names:  # What a timer returned, without the rounds of the warm-up.
        assert seconds[name].tolist() == [i + 1 for i, called in enumerate(calls) if called == name][2:]


def test_spread_is_median_and_quartiles():
    assert spread(np.array([5.0, 1, 2, 3, 4])) == (3, 2, 4)


def test_a_grid_leaves_out_empty_rows():
    cells = {("a", "x"): "1", ("c", "y"): "2"}
    assert grid("abc", "xy", lambda *at: cells.get(at)) == [("a", "1", "-"), ("c", "-", "2")]


@pytest.mark.parametrize(("name", "leaves", "parameters"), [
    ("resnet-50", 161, 25_557_032),
    ("gpt-2-small", 148, 124_439_808),
    ("efficientnet-b0", 213, 5_288_548),
    ("1x32M", 1, 32_000_000),
    ("1000x1k", 1000, 1_000_000),
])  # fmt: skip
def test_shapes_are_those_of_the_networks(name, leaves, parameters):
    shapes = SHAPES[name]()
    assert len(shapes) == leaves
    assert sum(np.prod(shape) for shape in shapes) == parameters


def test_all_optimizers_have_an_entry():
    there = {
        name
        for name, value in vars(rx).items()
        if inspect.isfunction(value) and "learning_rate" in inspect.signature(value).parameters
    }
    assert there - {"scale_by_learning_rate", "schedule_free"} <= set(CATALOGUE)


# optax's weighs the change of the gradient by 1 - b2: as many operations, other numbers.
DIFFERENT = ("adan",)


@pytest.mark.parametrize(
    "name", [name for name, peers in CATALOGUE.items() if peers.optax and name not in DIFFERENT]
)
def test_the_algorithm_compared_with_is_the_same(name):
    gradients = gradients_of([(3,), (2, 2)])
    results = []
    with jax.numpy_dtype_promotion("standard"):
        for tx in (CATALOGUE[name].ours(), CATALOGUE[name].optax()):
            state = tx.init(gradients)
            params = gradients
            for i in range(8):
                updates, state = tx.update(jax.tree.map(lambda g, i=i: g / (i + 1), gradients), state, params)
                params = optax.apply_updates(params, updates)
            results.append(updates)
    ours, theirs = map(jax.tree.leaves, results)
    # optax's r_t is off by up to 6e-3 at b2 = 0.999; its schedule-free updates are differences of parameters.
    rtol = 1e-2 if name.startswith("radam") else 1e-4
    atol = 2e-7 if name.startswith("schedule_free") else 0
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def test_a_step_goes_on_and_counts_its_bytes():
    step = JaxStep(rx.adam(1e-3), gradients_of([(10,), (5,)]))
    assert step.bytes == 15 * 28 + 2 * sum(4 for _ in step_counts(rx.adam(1e-3)))
    seconds = [step.timer()() for _ in range(3)]
    assert min(seconds) > 0


def step_counts(tx):
    """The scalars of a state."""
    return [leaf for leaf in jax.tree.leaves(tx.init(jnp.zeros(3))) if leaf.ndim == 0]


def test_a_process_that_crashes_is_told():
    child = Child("--xla_there_is_no_such_flag=1")
    with pytest.raises(ChildError, match="exit code"):
        child.open("adam", "3x1k", ["ours"])


def test_the_benchmarks_are_listed_and_others_refused():
    code, out, err = run()
    assert (code, err) == (0, "")
    for name in ("step", "compile", "numerics", "memory", "end_to_end", "report"):
        assert f"  {name} " in out
    code, out, err = run("no_such")
    assert (code, out) == (2, "")
    assert "no benchmark 'no_such'" in err
    code, out, err = run("step", "--optimizers", "adam,no_such")
    assert (code, out) == (2, "")
    assert "no 'no_such'; there are: sgd" in err


def test_low_bit(tmp_path):
    result = result_of("low_bit", tmp_path)
    rows = {row["competitor"]: row for row in result["rows"]}
    size = {name: round(row["bytes_per_parameter"]) for name, row in rows.items()}
    assert size["radam_optax, float32"] == 16
    assert size["radam_optax, bfloat16_compensated, float8_stochastic"] == 7
    away = {name.removeprefix("radam_optax, "): row["percent"] for name, row in rows.items()}
    assert away["float32"] < 0.01 < away["bfloat16_compensated"] < 10 < away["bfloat16 alone"]
    assert len(rows) + len(result["notes"]) == 10


def test_quality(tmp_path):
    form = "bfloat16_compensated"
    rows = result_of(
        "quality",
        tmp_path,
        *("--models", "transformer", "--optimizers", "radam"),
        *("--codecs", "float8_stochastic", "--parameters", form),
    )
    rows = {(row["parameters"], row["codec"]): row for row in rows["rows"]}
    assert list(rows) == [
        (of, codec) for of in ("float32", form) for codec in ("float32", "float8_stochastic")
    ]
    size = {formats: row["bytes_per_parameter"] for formats, row in rows.items()}
    assert size["float32", "float32"] == pytest.approx(12, abs=0.01)
    assert size[form, "float32"] == pytest.approx(11, abs=0.01)
    assert 5 < size[form, "float8_stochastic"] < 10  # Small arrays stay as they are.
    start, *_, end = rows["float32", "float32"]["test_losses"]
    assert end < start
    for row in rows.values():
        assert row["test_losses"][-1] == pytest.approx(end, rel=0.01)
