"""The trainer: a run is what its settings say, goes on bitwise, logs what it did, refuses what is wrong."""

import dataclasses
import struct
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

for package in ("cyclopts", "flax", "matplotlib", "orbax", "rich", "sklearn", "tensorboardX", "tokenizers"):
    pytest.importorskip(package)

# optax.MultiSteps mixes dtypes, and so does Flax's DynamicScale.
pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Orbax's, of reading without a template.
]
SMALL = ["--model", "mlp(hidden=[8])", "--steps", "12", "--log-every", "4", "--save-every", "4"]


@pytest.fixture
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def train(tmp_path):
    from examples.trainer.train import main

    return lambda *options, out="run": main([*SMALL, *options, "--out", str(tmp_path / out)])


def train_main():
    """The trainer's command, with flags and nothing else."""
    from examples.trainer.train import main

    return lambda *flags: main(flags)


def refused(train, *options, **where):
    from examples.data.split import DataError

    with pytest.raises(DataError) as error:
        train(*options, **where)
    return str(error.value)


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """All of them by tag and step, read from the event files record by record; later files win."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def last_arrays(folder: Path) -> dict[str, np.ndarray]:
    """All parameters and state of the last checkpoint."""
    import orbax.checkpoint as ocp

    step = max(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())
    arrays = ocp.PyTreeCheckpointer().restore(folder / "checkpoints" / str(step) / "arrays")
    return {name: np.asarray(array) for name, array in arrays.items()}


def final(folder: Path) -> bytes:
    return b"".join(array.tobytes() for _, array in sorted(last_arrays(folder).items()))


def test_a_run_in_two_parts_is_bitwise_the_whole(train, tmp_path):
    train("--accumulate", "2", "--clip-norm", "1", out="whole")
    train("--accumulate", "2", "--clip-norm", "1", "--steps", "8", out="parts")
    train("--resume", "--steps", "12", out="parts")
    assert final(tmp_path / "parts") == final(tmp_path / "whole")
    logs = [scalars(tmp_path / out / "tensorboard") for out in ("parts", "whole")]
    assert logs[0] == logs[1]
    assert logs[0]["train/loss"].keys() == set(range(1, 13))


def test_the_log_is_what_the_settings_ask_for(train, tmp_path):
    train("--optimizer", "radamw(b2=0.9)", "--learning-rate", "0.02", "--schedule", "linear(warmup=4)")
    log = scalars(tmp_path / "run" / "tensorboard")
    assert log.keys() == {
        *("train/loss", "train/gradient_norm", "train/update_norm", "train/learning_rate"),
        *("held_out/test_loss", "held_out/test_accuracy", "rectifier/rho", "rectifier/r"),
    }
    rates = [log["train/learning_rate"][step] for step in range(1, 13)]
    expected = [0.02 * (i / 4 if i < 4 else (12 - i) / 8) for i in range(12)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6, atol=1e-9)
    t, rho_inf = 12, 19.0
    rho = rho_inf - 2 * t * 0.9**t / (1 - 0.9**t)
    np.testing.assert_allclose(log["rectifier/rho"][12], rho, rtol=1e-5)
    r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    np.testing.assert_allclose(log["rectifier/r"][12], r, rtol=1e-5)
    assert log["train/update_norm"][1] == 0 < log["train/update_norm"][2]
    assert log["train/loss"][12] < log["train/loss"][1]


def test_a_file_says_the_same_as_flags(train, tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text('optimizer = "amsgrad(b2=0.99)"\nlearning_rate = 0.01\nsteps = 4\n', "utf-8")
    train("--optimizer", "amsgrad(b2=0.99)", "--learning-rate", "0.01", out="flags")
    train("--config", str(config), out="file")  # Flags override its steps.
    logs = [scalars(tmp_path / out / "tensorboard") for out in ("flags", "file")]
    assert logs[0] == logs[1]
    assert "rectifier/r" not in logs[0]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_learns_with_state_in_float32(precision, train, tmp_path):
    train("--precision", precision, "--optimizer", "adam", "--learning-rate", "0.02", "--steps", "40")
    log = scalars(tmp_path / "run" / "tensorboard")
    assert log["held_out/test_accuracy"][40] > 0.6
    assert not [array.dtype for array in last_arrays(tmp_path / "run").values() if array.dtype.itemsize == 2]


def test_the_mask_chooses_what_decays():
    from examples.trainer import optimizer as _optimizer
    from examples.trainer.settings import read

    flags = ["--optimizer", "adamw(weight_decay=0.5)", "--decay-mask", "kernel$", "--learning-rate", "0.1"]
    settings = read(flags, None, "")
    params = {"dense": {"kernel": jnp.ones(2), "bias": jnp.ones(2)}}
    optimizer = _optimizer.make_optimizer(settings, params)
    zeros = optax.tree.zeros_like(params)
    updates, _ = optimizer.update(zeros, optimizer.init(params), params)
    np.testing.assert_allclose(updates["dense"]["kernel"], -0.05)
    np.testing.assert_array_equal(updates["dense"]["bias"], 0)


def test_every_optimizer_and_schedule_of_the_tables_can_be_called():
    import radam_optax as rx
    from examples.trainer import optimizer as _optimizer
    from examples.trainer.settings import read

    params = {"w": jnp.ones(2)}
    assert len(_optimizer.OPTIMIZERS) == 37
    assert not any(name.startswith("scale_by") for name in _optimizer.OPTIMIZERS)
    for name in _optimizer.OPTIMIZERS:
        settings = read(["--optimizer", name], None, "")
        assert getattr(rx, name) is _optimizer.OPTIMIZERS[name]
        state = _optimizer.make_optimizer(settings, params).init(params)
        assert jax.tree.leaves(state) or name == "sgd"
    for name in _optimizer.SCHEDULES:
        text = "steps(at=[10])" if name == "steps" else name
        settings = read(["--schedule", text, "--learning-rate", "0.5", "--steps", "20"], None, "")
        assert 0 <= _optimizer.make_schedule(settings)(15) <= 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--optimizer", "raddam"],
            "--optimizer: there is no 'raddam' (did you mean 'radam'?); there are acprop, adabelief, ",
        ),
        (
            ["--optimizer", "radamw(weigth_decay=1)"],
            "radamw has no argument 'weigth_decay' to choose here (did you mean 'weight_decay'?); ",
        ),
        (["--optimizer", "radam(b2=1.5)"], "--optimizer: radam(b2=1.5): `b2` must be in [0, 1); got 1.5."),
        (["--schedule", "steps"], "--schedule: steps: missing a required argument: 'at'"),
        (
            ["--decay-mask", "foo"],
            "--decay-mask: 'foo' is found in no path of a parameter; they are ",
        ),
        (["--optimizer", "sgd", "--decay-mask", "."], "--decay-mask: sgd has no weight decay with a mask"),
        (["--data", "mnist"], "--data mnist wants its folder: --data-dir DIR"),
        (["--data", "digit"], "--data: there is no 'digit' (did you mean 'digits'?); there are cifar10, "),
        (["--data", "numbers"], "--model: there is no 'mlp'; there are transformer"),
        (["--model", "resnet(depth=9)"], "--model: resnet(depth=9): `depth` must be 6 n + 2"),
        (["--config", "nowhere.toml"], "nowhere.toml: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_clear_line(options, message, train, tmp_path):
    text = refused(train, *options)
    assert message in text
    assert "\n" not in text
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stesp = 3", "there is no setting 'stesp' (did you mean 'steps'?); there are accumulate, "),
        ("steps = [3]", "steps must be a number or a text; got [3]"),
        ("steps = ", "not a TOML file: "),
    ],
)
def test_a_bad_file_is_one_clear_line(text, message, train, tmp_path):
    (tmp_path / "bad.toml").write_text(text, "utf-8")
    found = refused(train, "--config", str(tmp_path / "bad.toml"))
    assert found.startswith(f"{tmp_path / 'bad.toml'}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = 0", "[steps]: must be a whole number >= 1; got '0'"),
        ('precision = "int8"', 'Invalid value "int8" for [precision]'),
        ('optimizer = "raddam"', "[optimizer]: there is no 'raddam' (did you mean 'radam'?)"),
    ],
)
def test_a_bad_value_in_a_file_is_one_clear_line_that_names_it(text, message, tmp_path):
    (tmp_path / "bad.toml").write_text(text, "utf-8")
    found = refused(train_main(), "--config", str(tmp_path / "bad.toml"))
    assert message in found
    assert str(tmp_path / "bad.toml") in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--optimizer", "radamw(b2=0.9"],
            "--optimizer: 'radamw(b2=0.9' is neither NAME nor NAME(argument=value, ...)",
        ),
        (
            ["--optimizer", "radamw(0.9)"],
            "--optimizer: 'radamw(0.9)' is neither NAME nor NAME(argument=value, ...)",
        ),
        (
            ["--optimizer", "radamw(b2=x)"],
            "--optimizer: b2 in 'radamw(b2=x)' must be a number, a text, a list, True, False or None; got x",
        ),
        (
            ["--schedule", "cosine(end=0, warmup=abc)"],
            "--schedule: warmup in 'cosine(end=0, warmup=abc)' must be a number, a text, a list, True, False "
            "or None; got abc",
        ),
        (
            ["--schedule", "cosine(warmup='abc')"],
            "--schedule: warmup in cosine(warmup='abc') must be a number",
        ),
        (["--optimizer", "radam(b2=None)"], "--optimizer: b2 in radam(b2=None) must be a number"),
        (
            ["--resume", "--out", "nowhere"],
            "--resume: there is no run in nowhere, since it has no settings.toml",
        ),
        (["--learning-rate", "-1"], "--learning-rate: must be a number >= 0; got '-1'"),
        (["--learning-rate", "inf"], "--learning-rate: must be a number >= 0; got 'inf'"),
        (["--clip-norm", "0"], "--clip-norm: must be a number > 0; got '0'"),
        (["--decay-mask", "("], "--decay-mask: must be a regular expression; got '('"),
        (["--steps", "0"], "--steps: must be a whole number >= 1; got '0'"),
        (["--steps", "1.5"], "--steps: must be a whole number >= 1; got '1.5'"),
        (
            ["--precision", "int8"],
            'Invalid value "int8" for --precision. Choose from: "float32", "bfloat16", ',
        ),
        (["--stesp", "3"], "Unknown option: --stesp. Did you mean --steps?"),
        (["--out", __file__], f"--out: cannot make the folder '{__file__}': File exists"),
    ],
)
def test_a_bad_flag_is_one_clear_line(options, message):
    text = refused(train_main(), *options)
    assert message in text
    assert "\n" not in text


def test_settings_are_values_that_nothing_changes():
    from examples.trainer.settings import read

    settings = read(["--optimizer", "radamw(b2=0.99)", "--decay-mask", "kernel$"], None, "")
    assert (settings.optimizer.name, settings.optimizer.arguments) == ("radamw", {"b2": 0.99})
    assert settings.decay_mask.search("dense/kernel")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.steps = 3


def test_help_lists_all_that_can_be_called(capsys):
    from examples.trainer.train import main

    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert not exit_.value.code
    text = capsys.readouterr().out
    for part in ("--decay-mask REGEX", "radamw(b1=0.9, b2=0.999", "cosine(warmup=0, end=0.0)", "numbers()"):
        assert part in text


def test_two_runs_are_not_mixed(train):
    train()
    assert "holds a run; --resume goes on with it" in refused(train)
    text = refused(train, "--resume", "--optimizer", "adam")
    assert text.endswith("the run cannot go on with another --optimizer: radamw, now adam")


def test_a_longer_run_does_not_change_a_schedule_that_is_half_done(tmp_path):
    """A cosine over 2000 steps would rise from 0 to 27 % of the peak, resumed over 3000."""
    from examples.data.split import DataError
    from examples.trainer import optimizer, settings

    flags = ["--out", str(tmp_path)]
    for name in optimizer.SCHEDULES:
        text = "steps(at=[10])" if name == "steps" else name
        run = settings.read([*flags, "--schedule", text, "--steps", "2000"], None, "")
        settings.write(run)
        schedules = [optimizer.make_schedule(dataclasses.replace(run, steps=n)) for n in (2000, 3000)]
        if all(len({float(schedule(step)) for schedule in schedules}) == 1 for step in (1000, 2000)):
            assert settings.read([*flags, "--resume", "--steps", "3000"], None, "").steps == 3000
        else:
            with pytest.raises(DataError) as error:
                settings.read([*flags, "--resume", "--steps", "3000"], None, "")
            end = f"cannot go on with another --steps: 2000, now 3000; its schedule, {name}, ends with it"
            assert str(error.value).endswith(end)
        assert settings.read([*flags, "--resume", "--steps", "2000"], None, "").steps == 2000
