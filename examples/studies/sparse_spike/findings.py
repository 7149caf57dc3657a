"""What the study of long-term memory finds, beside closed forms and the claims on AMSGrad."""

from collections.abc import Mapping

import numpy as np

from examples.lab.study import Finding
from examples.studies.sparse_spike.memory import (
    AFTER,
    AT,
    B2,
    METHODS,
    PERIOD,
    PERIODS,
    SPIKE,
    WALK,
    Pairs,
    progress,
    recovered,
    slowdown,
    steps_of_period,
    turning_period,
)
from examples.studies.sparse_spike.spike import CHUNK, Curves, is_slow

LESS = (
    "the formula, of gradients of equal size, has a larger factor; where an element of the gradient is small "
    "at the spike it leaves less, and a network that learns more slowly keeps larger gradients."
)


def rare_findings(walks: Pairs, parts: Pairs) -> list[Finding]:
    """What the closed form says of rare gradients, beside the optimizers."""
    at = PERIODS.index(min(PERIODS, key=lambda k: abs(k - PERIOD)))
    period = PERIODS[at]

    def measured(name: str) -> float:
        return float(parts[name][1][at])

    def expected(name: str) -> float:
        return float(progress(steps_of_period(METHODS[name], period)))

    def turn(name: str) -> Finding:
        turning = turning_period(METHODS[name])
        signs = parts[name][1] < 0
        right = max((k for k, wrong in zip(PERIODS, signs, strict=True) if not wrong), default=0)
        wrong = min((k for k, wrong in zip(PERIODS, signs, strict=True) if wrong), default=PERIODS[-1])
        return Finding(
            f"rare gradients: where {name} turns the wrong way",
            f"closed form: from a period of {turning} steps on, {turning * (1 - B2):.1f} / (1 - b2)",
            f"right at {right}, wrong at {wrong}",
            right < turning <= wrong,
        )

    worst = max(float(np.abs(m - f[np.asarray(PERIODS) - 2]).max()) for f, m in parts.values())
    adam, amsgrad = walks["Adam"][0], walks["AMSGrad"][0]
    rescues = [name for name in METHODS if name != "AMSGrad" and measured(name) < 0]
    return [
        Finding(
            "an average forgets rare informative gradients, a maximum keeps them",
            "'long-term memory' cures Adam (Reddi et al. 2018): x = -1",
            f"after {WALK} steps at period {PERIOD}: Adam {adam[-1]:.2f}, AMSGrad {amsgrad[-1]:.2f}",
            bool(amsgrad[-1] < -0.9 and adam[-1] > 0.9),
        ),
        Finding(
            f"progress at period {period}",
            f"closed form: Adam {expected('Adam'):.3f}, AMSGrad {expected('AMSGrad'):.3f}",
            f"Adam {measured('Adam'):.3f}, AMSGrad {measured('AMSGrad'):.3f}; worst of all {worst:.0e} apart",
            worst < 1e-3,
        ),
        turn("Adam"),
        turn("AMSGrad, forgets slowly"),
        Finding(
            "what shortens a spike's memory forgets rare gradients",
            f"clipping, and forgetting as fast as b2: wrong way at period {period}",
            f"wrong way: {', '.join(rescues) or 'none'}",
            {"AMSGrad, clipped", "AMSGrad, forgets"} <= set(rescues),
        ),
    ]


def slowdown_findings(slowdowns: Pairs) -> list[Finding]:
    """What a spike among equal gradients leaves, by the formulas and measured."""
    left = 1 + (1 - B2) * (SPIKE**2 - 1) / (1 - B2**AT)

    def after(name: str) -> str:
        steps = recovered(slowdowns[name][1])
        return f"{steps} steps" if steps is not None else f"more than {AFTER} steps"

    def forgets(name: str, decay: float, published: str, steps: float) -> Finding:
        measured = recovered(slowdowns[name][1])
        return Finding(
            f"after a spike: {name} forgets it at the rate of its decay, {decay:g}",
            f"{published}: {steps:.0f} steps",
            f"{after(name)} until steps are at most √2 times shorter",
            measured is not None and abs(measured / steps - 1) < 0.05,
        )

    amsgrad, clipped = slowdowns["AMSGrad"][1][-1], slowdowns["AMSGrad, clipped"][1].max()
    slowly = METHODS["AMSGrad, forgets slowly"].decay
    return [
        Finding(
            f"after a spike {SPIKE:,.0f} times too large AMSGrad is slower for good",
            f"√(1 + (1 - b2)(s² - 1) / (1 - b2^t)): {left**0.5:.1f} times",
            f"{amsgrad:.1f} times, {AFTER} steps later",
            bool(abs(amsgrad / left**0.5 - 1) < 1e-3),
        ),
        forgets("Adam", B2, "ln(1e6) / (1 - b2)", np.log(1e6) / (1 - B2)),
        forgets("AMSGrad, forgets", B2, "ln(1e6) / (1 - decay)", np.log(1e6) / (1 - B2)),
        forgets("AMSGrad, forgets slowly", slowly, "ln(1e6) / (1 - decay)", np.log(1e6) / (1 - slowly)),
        Finding(
            "after a spike: clipped AMSGrad does not notice",
            "clipped at c usual norms, as if s were c: 1 time",
            f"{clipped:.4f} times at most",
            bool(clipped < 1.001),
        ),
    ]


def training_findings(results: Mapping[str, Curves], steps: int) -> list[Finding]:
    """What the network shows; of Adam's recovery only where the steps suffice for it."""
    slow = {name: CHUNK * int(is_slow(curves)[AT // CHUNK + 1 :].sum()) for name, curves in results.items()}
    after = steps - (AT // CHUNK + 1) * CHUNK
    ratio = {
        name: curves.step_size[0, :, -1].mean() / curves.step_size[1, :, -1].mean()
        for name, curves in results.items()
    }
    loss = {name: curves.train_loss[:, :, -1].mean(axis=1) for name, curves in results.items()}
    findings = [
        Finding(
            "training: AMSGrad does not recover from a spike",
            "slower for good",
            f"{slow['AMSGrad']} of {after} steps slow, the last {ratio['AMSGrad']:.1f} times shorter; loss "
            f"{loss['AMSGrad'][1]:.2g} instead of {loss['AMSGrad'][0]:.2g}",
            slow["AMSGrad"] == after and bool(loss["AMSGrad"][1] > 2 * loss["AMSGrad"][0]),
            LESS if ratio["AMSGrad"] < slowdown(METHODS["AMSGrad"], 0)[0] else "",
        ),
        Finding(
            "training: clipped AMSGrad does not notice",
            "as without the spike",
            f"loss {loss['AMSGrad, clipped'][1]:.2g} instead of {loss['AMSGrad, clipped'][0]:.2g}",
            bool(np.isclose(*loss["AMSGrad, clipped"], rtol=0.25)),
        ),
    ]
    needed = np.log(1e6) / (1 - B2)
    for name in ("Adam", "AMSGrad, forgets") if after > needed else ():
        findings.append(
            Finding(
                f"training: {name} recovers",
                f"in ln(1e6) / (1 - b2) = {needed:.0f} steps",
                f"{slow[name]} slow steps, the last {1 / ratio[name]:.2f} times as long as without the spike",
                slow[name] <= needed and bool(ratio[name] < 2),
            )
        )
    return findings
