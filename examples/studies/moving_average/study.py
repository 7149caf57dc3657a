"""A moving average started at zero has the bias 1 - b^t; its correction in an animated picture."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import radam_optax as rx
from examples.lab.console import print_table
from examples.lab.study import Finding, Size, Study
from examples.studies.moving_average.figures import PICTURES

STEPS = 80
DECAYS = (0.9, 0.98)
MEAN, DEVIATION = 1.0, 0.3  # Of the signal, normal and independent from step to step.
PATHS = 10_000  # Signals of one simulation.
ADAM = (0.9, 0.999)
SIZES = {"seeds": Size(200, 10, f"simulations of {PATHS} signals each")}
AT = (1, 5, 10, 50)
READING = (
    "How to read it: the first two columns are to be equal, the third to be 1; the correction restores the "
    "mean, not the length, so that the first corrected averages are as noisy as the signal."
)


class Estimate(NamedTuple):
    """Of many signals, shape (len(DECAYS), 2, STEPS): averages as they are, and corrected."""

    mean: np.ndarray
    deviation: np.ndarray
    error: np.ndarray  # Standard error of the mean.


def run(tx: optax.GradientTransformation, signal: jax.Array) -> jax.Array:
    """What the transformation makes of a signal, the first axis of which is time."""

    def step(state: Any, value: jax.Array) -> tuple[Any, Any]:
        out, state = tx.update(value, state)
        return state, out

    return jax.lax.scan(step, tx.init(signal[0]), signal)[1]


def averages(signal: jax.Array) -> jax.Array:
    """Of shape (len(DECAYS), 2, *signal.shape): the averages as they are, and corrected."""
    return jnp.stack(
        [
            jnp.stack([run(rx.first_moment(decay, debias=debias), signal) for debias in (False, True)])
            for decay in DECAYS
        ]
    )


def signals(seed: int | jax.Array, count: int) -> jax.Array:
    """Noise around a mean, shape (STEPS, count)."""
    return MEAN + DEVIATION * jax.random.normal(jax.random.key(seed), (STEPS, count))


def simulate(study: Study, simulations: int) -> Estimate:
    """Mean and spread of the averages at every step over ``simulations * PATHS`` signals."""

    @jax.jit
    def program(carry, seed):
        values = averages(signals(seed, PATHS))
        mean = values.mean(axis=-1)
        return carry, (mean, jnp.mean((values - mean[..., None]) ** 2, axis=-1))

    _, (means, variances) = study.scan(
        f"{PATHS} signals",
        program,
        jnp.zeros(()),
        lambda seed: (np.uint32(seed),),
        simulations,
        lambda now: f"mean of the average, b = {DECAYS[0]:g}, t = 1: {now[0][0, 0, 0]:.4f}",
    )
    means = means.astype(np.float64)
    deviation = np.sqrt(variances.astype(np.float64).mean(axis=0) + means.var(axis=0))
    return Estimate(means.mean(axis=0), deviation, deviation / np.sqrt(simulations * PATHS))


def adam_steps() -> np.ndarray:
    """Adam's steps in learning rates, shape (2, STEPS): without and with corrections, constant gradient."""
    ones = jnp.ones(STEPS)
    return np.stack(
        [
            run(rx.scale_by_adam(*ADAM, eps=0.0, bias_correction=corrected), ones)
            for corrected in (False, True)
        ]
    )


def findings(factors: np.ndarray, estimate: Estimate, adam: np.ndarray) -> Iterator[Finding]:
    """The rows of the verdict.

    Args:
      factors: 1 - b^t, shape (len(DECAYS), STEPS).
      estimate: what was measured.
      adam: as :func:`adam_steps` returns it.
    """
    raw, corrected = np.moveaxis(estimate.mean / MEAN, 1, 0)
    raw_error, corrected_error = np.moveaxis(estimate.error / MEAN, 1, 0)
    for claim, published, ratio, expected, error in (
        ("E[average] / E[signal]", "1 - b^t", raw, factors, raw_error),
        (
            "the same, corrected",
            "1 from the first step on",
            corrected,
            np.ones_like(factors),
            corrected_error,
        ),
    ):
        apart = np.abs(ratio - expected) / error
        yield Finding(
            claim,
            published,
            f"at t = 1: {ratio[0, 0]:.4f} (b = {DECAYS[0]:g}), {ratio[1, 0]:.4f} ({DECAYS[1]:g}); up to "
            f"{apart.max():.1f} s.e. apart at {STEPS} steps",
            bool((apart < 5).all()),
        )
    b1, b2 = ADAM
    expected = (1 - b1) / np.sqrt(1 - b2)
    ratio = adam[0] / adam[1]
    worst = int(ratio.argmax())
    yield Finding(
        f"Adam's first step without the corrections, {b1:g} and {b2:g}",
        f"(1-b1)/sqrt(1-b2) = {expected:.2f} times",
        f"{ratio[0]:.2f} times; {ratio[worst]:.2f} at step {worst + 1}, {ratio[-1]:.2f} at {STEPS}",
        bool(abs(ratio[0] / expected - 1) < 1e-3),
    )


def main(arguments: Sequence[str]) -> None:
    """Simulates, draws step by step; writes a table, the animation, its last frame and ``summary.json``."""
    study = Study("moving_average", __doc__, arguments, SIZES)
    seeds = study.options.seeds
    estimate = simulate(study, seeds)
    signal = signals(0, 1)[:, 0]
    t = np.arange(1, STEPS + 1)
    factors = np.stack([rx.total_weight(decay, t) for decay in DECAYS])
    adam = adam_steps()
    one = np.asarray(averages(signal))
    signal = np.asarray(signal)

    rows, cells = [], []
    for (k, decay), step in ((pair, step) for pair in enumerate(DECAYS) for step in t):
        i = step - 1
        mean, deviation = estimate.mean[k, :, i] / MEAN, estimate.deviation[k, 1, i] / DEVIATION
        error = estimate.error[k, 0, i] / MEAN
        rows.append(
            (decay, step, signal[i], *one[k, :, i], factors[k, i], mean[0], error, mean[1], deviation)
        )
        if step in AT:
            numbers = f"{factors[k, i]:.5f}", f"{mean[0]:.5f}", f"{mean[1]:.5f}", f"{deviation:.3f}"
            cells.append([f"b = {decay:g}, t = {step}", *numbers])
    columns = (
        "b",
        "step",
        "signal",
        "average",
        "corrected",
        "factor",
        "bias",
        "error",
        "bias_corrected",
        "noise",
    )
    study.write_csv("average.csv", columns, rows)
    study.write_csv("adam.csv", ("step", "not_corrected", "corrected"), zip(t, *adam, strict=True))
    header = ["", "1 - b^t", "measured", "corrected", "noise / signal's"]
    print_table(study.console, f"E[average] / E[signal] over {seeds * PATHS:,} signals", header, cells)
    study.console.print(READING, soft_wrap=True)
    study.conclude(list(findings(factors, estimate, adam)), {"signals": seeds * PATHS}, PICTURES)
