"""The table that the properties are tested over: the catalogue, its variants, and hybrids off the menu.

Every entry is a function of its numeric hyperparameters alone, with defaults, so that they can be
replaced by arrays, batched, or injected.
"""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest

import radam_optax as rx
from tests.support.forms import in_forms


def variant(factory, **settings):
    """A recipe with some settings fixed, under the signature that is left."""
    return functools.partial(factory, **settings)


def rectified_adabelief(learning_rate=0.1, b1=0.9, b2=0.999):
    return optax.chain(
        rx.scale_by_adaptive_rate(
            momentum=rx.first_moment(b1, debias=False),
            rate=optax.chain(
                rx.belief_moment(b2), rx.inverse_root(), rx.scale_by_rectification(b2), rx.debias(b1)
            ),
        ),
        optax.scale_by_schedule(lambda _: -learning_rate),
    )


def rectified_yogi(learning_rate=0.1, b1=0.9, b2=0.999):
    return optax.chain(
        rx.scale_by_adaptive_rate(
            momentum=rx.first_moment(b1),
            rate=optax.chain(rx.yogi_moment(b2), rx.inverse_root(1e-3), rx.scale_by_rectification(b2)),
        ),
        optax.scale_by_schedule(lambda _: -learning_rate),
    )


def rectified_rmsprop(learning_rate=0.1, decay=0.999):
    return optax.chain(
        rx.scale_by_rms(decay, bias_correction=True),
        rx.scale_by_rectification(decay, fallback=0.0),
        optax.scale_by_schedule(lambda _: -learning_rate),
    )


def rectified_centred_amsgrad(learning_rate=0.1, b1=0.9, b2=0.99, max_decay=0.99):
    return optax.chain(
        rx.scale_by_adaptive_rate(
            momentum=rx.freeze_until(rx.nesterov_moment(b1), 2),
            rate=optax.chain(
                rx.centered_second_moment(b2),
                rx.amsgrad_max(max_decay),
                rx.inverse_root(1e-6),
                rx.scale_by_rectification(b2, variance="exact", length="variance", threshold=2.0),
            ),
        ),
        optax.scale_by_schedule(lambda _: -learning_rate),
    )


def projected_amsgrad(learning_rate=0.1, b1=0.9, b2=0.99, eps=1e-8):
    alpha, b1 = rx.inverse_sqrt_decay(learning_rate), decaying(b1)
    return optax.chain(
        rx.amsgrad(alpha, b1, b2, eps, bias_correction="none"),
        rx.project(functools.partial(jax.tree.map, onto_unit_disc)),
    )


def onto_unit_disc(x):
    """The nearest number with |x| <= 1, in the box [-1, 1] if x is real."""
    return x * (1 / jnp.maximum(1, abs(x))).astype(x.dtype)


def delayed_mixture(learning_rate=0.1, b1=0.9, b2=0.99, eps=1e-3):
    """A momentum and a rate of signals that are delayed, mixed, differenced and clipped."""
    change = rx.signal("change")
    nu_before = rx.second_moment(rx.from_first(b2), debias=False, delayed=0.0)
    inner = rx.scale_by_adaptive_rate(
        momentum=optax.chain(
            rx.scale_by_adaptive_rate(momentum=rx.first_moment(b1)),
            rx.mixture((1.0, optax.identity()), (lambda _: 0.5, optax.chain(change, rx.delay(2)))),
            rx.clip(lambda count: 1 + count),
        ),
        rate=optax.chain(nu_before, rx.inverse_root(floor=eps), rx.power(0.5), rx.ceiling(b1)),
    )
    return optax.chain(
        rx.with_signal("change", rx.difference(), inner), rx.scale_by_learning_rate(learning_rate)
    )


def cautious_angles(learning_rate=0.1, b1=0.9, b2=0.99):
    """What is taken together from two rates, and from the gradient."""
    nu = rx.mixture((0.7, rx.second_moment(b2)), (0.3, rx.square()))
    both = rx.scale_by_adaptive_rate(momentum=rx.atan2_rate(), rate=rx.update_clipping())
    direction = rx.scale_by_adaptive_rate(
        momentum=rx.mixture((0.9, rx.first_moment(b1)), (0.1, rx.sign())), rate=optax.chain(nu, both)
    )
    return optax.chain(
        rx.cautious(direction),
        rx.add_decayed_weights(0.01, cautious=True),
        rx.scale_by_learning_rate(learning_rate),
    )


def rectified_acprop(learning_rate=0.1, b1=0.9, b2=0.99):
    """Rectified by a decay that is a schedule."""
    before = rx.first_moment(b1, debias=False, delayed=0.0)
    b2 = warming_up(b2)
    return optax.chain(
        rx.scale_by_adaptive_rate(
            rate=optax.chain(
                rx.belief_moment(b2, centre=before, delayed=1.0),
                rx.inverse_root(1e-6),
                rx.scale_by_rectification(b2),
            )
        ),
        rx.scale_by_learning_rate(learning_rate),
    )


def warming_up(b2):
    """From b2 - 0.1 to b2."""
    return lambda count: b2 - 0.1 / (count.astype("float32") + 1)


def radam_ademamix(learning_rate=0.1, b1=0.9, b2=0.999, b3=0.99):
    """RAdam with AdEMAMix's momentum."""
    momentum = rx.mixture((1.0, rx.first_moment(b1)), (2.0, rx.first_moment(b3, debias=False)))
    rate = optax.chain(rx.second_moment(b2), rx.inverse_root(), rx.scale_by_rectification(b2))
    return optax.chain(
        rx.scale_by_adaptive_rate(rate=rate, momentum=momentum), rx.scale_by_learning_rate(learning_rate)
    )


def scheduled_decays(learning_rate=0.1, b1=0.9):
    return rx.adam(learning_rate, decaying(b1), lambda count: 1 - 0.5 / (count.astype("float32") + 1))


def decaying(b1):
    """b1_t = b1 * 0.99^(t-1), as in the AMSGrad paper."""
    return lambda count: b1 * 0.99 ** count.astype("float32")


RECIPES = {
    "sgd": rx.sgd,
    "momentum": rx.momentum,
    "nesterov": rx.nesterov,
    "adagrad": rx.adagrad,
    "adadelta": variant(rx.adadelta, weight_decay=0.01),
    "rmsprop": rx.rmsprop,
    "rmsprop_centred": variant(rx.rmsprop, centered=True, eps=1e-2, eps_in_sqrt=False),
    "rmsprop_momentum": variant(rx.rmsprop, momentum=0.9),
    "rmsprop_nesterov": rx.rmsprop_nesterov,
    "adam": rx.adam,
    "adam_uncorrected": variant(rx.adam, bias_correction=False),
    "adamw": rx.adamw,
    "nadam": rx.nadam,
    "adam_2k": variant(rx.adam_2k, steps=2),
    "adam_eps": rx.adam_eps,
    "amsgrad": rx.amsgrad,
    "amsgrad_after_max": variant(rx.amsgrad, bias_correction="after_max"),
    "amsgrad_paper": variant(rx.amsgrad, bias_correction="none"),
    "amsgrad_forgetting": variant(rx.amsgrad, max_decay=0.9),
    "adamnc": rx.adamnc,
    "radam": rx.radam,
    "radam_nesterov": variant(rx.radam, nesterov=True),
    "radam_amsgrad": variant(rx.radam, amsgrad=True),
    "radam_skipping": variant(rx.radam, degenerated_to_sgd=False),
    "radam_exact": variant(rx.radam, variance="exact", length="variance", threshold=2.0),
    "radamw": rx.radamw,
    "adabelief": rx.adabelief,
    "adabelief_nesterov": variant(rx.adabelief, nesterov=True),
    "yogi": rx.yogi,
    "nadamw": rx.nadamw,
    "adamax": rx.adamax,
    "radam_scheduled": variant(rx.radam, b2=warming_up(0.999)),
    "laprop": rx.laprop,
    "adopt": rx.adopt,
    "acprop": rx.acprop,
    "ademamix": variant(rx.ademamix, alpha=rx.ademamix_alpha(5.0, 4), b3=rx.ademamix_b3(0.9, 0.999, 4)),
    "adan": rx.adan,
    "lion": rx.lion,
    "adam_atan2": rx.adam_atan2,
    "padam": rx.padam,
    "adabound": variant(rx.adabound, amsbound=True),
    "adamod": variant(rx.adamod, b3=0.9),
    "qhadam": variant(rx.qhadam, nus=(0.7, 0.9)),
    "stable_adamw": rx.stable_adamw,
    "schedule_free_sgd": variant(rx.schedule_free_sgd, warmup_steps=3),
    "schedule_free_adamw": variant(rx.schedule_free_adamw, weight_decay=0.01),
    "schedule_free_radam": variant(rx.schedule_free_radam, silent_sgd_phase=False, r=1.0),
    "rectified_adabelief": rectified_adabelief,
    "rectified_yogi": rectified_yogi,
    "rectified_rmsprop": rectified_rmsprop,
    "rectified_centred_amsgrad": rectified_centred_amsgrad,
    "projected_amsgrad": projected_amsgrad,
    "scheduled_decays": scheduled_decays,
    "delayed_mixture": delayed_mixture,
    "cautious_angles": cautious_angles,
    "rectified_acprop": rectified_acprop,
    "radam_ademamix": radam_ademamix,
}


def preset(name, **settings):
    """One of the presets, which calls the learning rate ``lr`` and the decays ``betas``."""

    def factory(learning_rate=0.1, b1=0.9, b2=0.999):
        return getattr(rx.presets, name)(learning_rate, (b1, b2), **settings)

    return factory


def torch_sgd_dampened(learning_rate=0.1, momentum=0.9):
    return rx.presets.torch_sgd(learning_rate, momentum, dampening=0.3)


PRESETS = {
    "torch_sgd_dampened": torch_sgd_dampened,
    "torch_adamw": preset("torch_adamw", weight_decay=0.01, amsgrad=True),
    "torch_nadam": preset("torch_nadam"),
    "official_radam": preset("official_radam", weight_decay=0.01),
}
CATALOGUE = list(RECIPES)
# Those that are more than a momentum times a power of an average of squares: what holds of every such product
# from the smallest to the largest numbers need not hold of them.
SUCCESSORS = (
    *("nadamw", "adamax", "radam_scheduled", "laprop", "adopt", "acprop", "ademamix", "adan", "lion"),
    *("adam_atan2", "padam", "adabound", "adamod", "qhadam", "stable_adamw", "schedule_free_sgd"),
    *("schedule_free_adamw", "schedule_free_radam", "delayed_mixture", "cautious_angles", "rectified_acprop"),
    "radam_ademamix",
)
RECIPES |= PRESETS

# Between them they go through every function of the package that any recipe goes through but the recipes
# themselves (tests/library/properties/test_covering.py), so that the quick form does with these.
COVERING = (
    *("radam", "adamw", "nadam", "nesterov", "rmsprop_momentum", "adagrad", "adadelta", "adabelief", "yogi"),
    *("rectified_rmsprop", "rectified_centred_amsgrad", "projected_amsgrad", "torch_nadam", "torch_adamw"),
    *("adamax", "schedule_free_radam", "delayed_mixture", "cautious_angles", "rectified_acprop"),
)
# One for each way in which a recipe can differ from Adam, where a case takes several programs.
SOME = ("radam", "adamw", "rmsprop_momentum", "adabelief", "projected_amsgrad", "torch_nadam")
# Those that share a program, as `runs.each` makes them.
GROUPS = {
    "some": SOME,
    "covering": [name for name in COVERING if name not in SOME],
    "others": [name for name in RECIPES if name not in COVERING],
}
every_group = pytest.mark.parametrize("group", in_forms(GROUPS, ("some", "covering")))
some_groups = pytest.mark.parametrize("group", in_forms(GROUPS, ("some",)))

every_recipe = pytest.mark.parametrize("name", in_forms(RECIPES, COVERING))
some_recipes = pytest.mark.parametrize("name", in_forms(RECIPES, SOME))

# They take a mean over each array.
BY_LEAF = ("stable_adamw", "cautious_angles")
ALONE = [name for name in RECIPES if name not in BY_LEAF]  # Those whose elements do not know each other.

# Zero gradients do not stop them: weight decay, a projection, a momentum that does not start at zero.
MOVES_BY_ITSELF = (
    *("adamw", "radamw", "adadelta", "projected_amsgrad", "yogi"),
    *("torch_adamw", "official_radam"),
    *("nadamw", "lion", "stable_adamw", "schedule_free_adamw", "cautious_angles"),
)

# Where a recipe has no default for it.
LEARNING_RATE = 0.1


def build(name, **hyperparameters):
    return RECIPES[name](**{"learning_rate": LEARNING_RATE, **hyperparameters})


def build_all(group, names=RECIPES, **hyperparameters):
    """Those of a group that are among the names."""
    return {name: build(name, **hyperparameters) for name in GROUPS[group] if name in names}
