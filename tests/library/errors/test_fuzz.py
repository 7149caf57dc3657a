"""Whatever comes in: the right numbers, or a clear error that names the cause.

Never a crash, a hang, a silent broadcast or a wrong result. Hypothesis draws trees, dtypes, recipes,
wrappers, malformed states, arguments and files. ``RADAM_OPTAX_FUZZ=20`` tries 20 times as many cases, and
others each time; ``--hypothesis-show-statistics`` counts them.
"""

import contextlib
import copy
import decimal
import fractions
import functools
import inspect
import math
import os
import pathlib
import re
import shutil
import signal
import traceback
import warnings
from typing import Any, NamedTuple

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import radam_optax as rx
from radam_optax import migrate, presets
from tests.support.forms import in_forms
from tests.support.public import CODECS, PRESETS, PUBLIC, REQUIRED
from tests.support.recipes import RECIPES, SUCCESSORS
from tests.support.trees import as_wide, bits

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*never rectifies:UserWarning"),
    # Where Orbax gives up on a damaged file, reads that it has begun end after their event loop.
    pytest.mark.filterwarnings("ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning"),
]

BUDGET = int(os.environ.get("RADAM_OPTAX_FUZZ", "1"))
LIMIT = 120  # Seconds for one case.
# What optax's own code answers, less clearly: a mask that is none, a chain's state that is no tuple.
OF_OPTAX = [r"mask=", r"has no len\(\)"]
PACKAGE = str(pathlib.Path(rx.__file__).parent)
LIBRARIES = (PACKAGE, str(pathlib.Path(optax.__file__).parent))


def fuzz(some, others):
    """Makes a test of ``check(data, ...)``: so many cases, a third of which are the quick form's, and so many
    others.
    """
    third = some // 3

    def decorate(check):
        def test(cases, **fixtures):
            @settings(
                max_examples=cases * BUDGET,
                derandomize=BUDGET == 1,
                database=None,
                suppress_health_check=list(HealthCheck),
                print_blob=False,
                phases=[Phase.generate, Phase.shrink],
            )
            @given(data=st.data())
            def case(data):
                with bounded(), but_for_optax():
                    check(data, **fixtures)

            (hypothesis.seed(cases)(case) if cases != third and BUDGET == 1 else case)()

        parameters = [p for name, p in inspect.signature(check).parameters.items() if name != "data"]
        test.__name__, test.__doc__, test.__module__ = check.__name__, check.__doc__, check.__module__
        test.__signature__ = inspect.Signature(
            [inspect.Parameter("cases", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters]
        )
        return pytest.mark.parametrize("cases", in_forms([third, some - third, others], [third]))(test)

    return decorate


@contextlib.contextmanager
def bounded():
    """TimeoutError where a case hangs."""

    def stop(*_):
        raise TimeoutError(f"a case took more than {LIMIT} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def but_for_optax():
    """Lets pass what is not this package's."""
    try:
        yield
    except AssertionError as error:
        if not any(re.search(known, str(error), re.DOTALL) for known in OF_OPTAX):
            raise


def assert_clear(what, error, *words, within=LIBRARIES):
    """The package (or optax) has raised it itself, and it names one of the words."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    origin = f"{what}: {type(error).__name__}: {str(error)[:500]}"
    origin += f"\n  at {frame.filename}:{frame.lineno}: {frame.line}"
    assert isinstance(error, ValueError | TypeError | OSError), origin
    assert frame.filename.startswith(within), origin
    assert frame.line.strip().startswith("raise"), origin
    assert not words or any(word in str(error) for word in words), f"{origin}\n  names none of {words}"


# ---- Any tree, dtype, recipe, hyperparameter, wrapper: the numbers of the bare recipe.


class Pair(NamedTuple):
    x: Any
    y: Any


SHAPES = [(), (0, 2), (3,), (2, 1, 2)]
# The dtypes of parameters, and those that their gradients may have.
DTYPES = {
    "float32": ["float32", "bfloat16", "float16"],
    "bfloat16": ["bfloat16", "float32"],
    "float16": ["float16", "float32"],
    "complex64": ["complex64"],
}
WIDE_DTYPES = DTYPES | {"float64": ["float64", "float32"], "complex128": ["complex128"]}
PADDED = 64  # The oracle's one shape, so that its kernels are compiled once.


class Leaf(NamedTuple):
    shape: tuple[int, ...]
    dtype: str
    gradient: str


def is_leaf(x):
    return isinstance(x, Leaf)


def leaf_map(function, tree):
    return jax.tree.map(function, tree, is_leaf=is_leaf)


@st.composite
def trees(draw, dtypes):
    def leaf(dtype):
        return st.builds(Leaf, st.sampled_from(SHAPES), st.just(dtype), st.sampled_from(dtypes[dtype]))

    leaves = st.sampled_from(list(dtypes)).flatmap(leaf)
    nothing = st.sampled_from([None, optax.MaskedNode(), {}, [], ()])
    tree = st.recursive(
        leaves | nothing,
        lambda children: (
            st.lists(children, max_size=3)
            | st.tuples(children, children)
            | st.builds(Pair, children, children)
            | st.dictionaries(st.sampled_from(["a", "b", "count", "mu"]), children, max_size=3)
        ),
        max_leaves=5,
    )
    return draw(st.tuples(leaves, tree))


DELICATE = ("belief", "yogi", "centred")  # Small changes of a gradient may change an update at will.
COUPLED = (
    "adadelta",
    "torch_sgd",
    "torch_adagrad",
    "torch_rmsprop",
    "torch_adam",
    "torch_adamax",
    "torch_nadam",
    "torch_radam",
)
TRACED = ("momentum", "nesterov", "sgd", "rmsprop")  # Their momentum has the parameters' dtype.
ROUNDED_DECAYS = ("projected_amsgrad", "scheduled_decays", "torch_nadam")  # 1 - b is rounded as b is.
OFF_MENU = ("rectified_", "projected_", "scheduled_")
# What is right for any numbers is known of a momentum times a rate; successors have tests of their own.
PRODUCTS = [name for name in RECIPES if name not in SUCCESSORS]
FACTORIES = {n: RECIPES[n] for n in PRODUCTS} | {n: f for n, f in PRESETS.items() if not n.startswith("_")}

RATES = [0.0, 0.001, 0.1, 1.0, 10.0]
DECAYS = [0.0, 0.5, 0.9, 0.99]
LONG_DECAYS = [0.0, 0.9, 0.99, 0.999, 0.9999]
EPS = [0.0, 1e-8, 1e-3, 1.0]
VALUES = {
    **dict.fromkeys(["learning_rate", "lr"], (RATES, 0, 10)),
    **dict.fromkeys(["b1", "beta_1"], (DECAYS, 0.01, 0.99)),
    **dict.fromkeys(["b2", "beta_2", "decay", "rho", "alpha"], (LONG_DECAYS, 0.01, 0.999)),
    **dict.fromkeys(["eps", "eps_root", "epsilon", "initial_accumulator_value"], (EPS, 0, 1)),
    **dict.fromkeys(["momentum", "dampening", "weight_decay"], ([0.0, 0.5, 1.0], 0, 1)),
    **dict.fromkeys(["lr_decay", "momentum_decay"], ([0.0, 0.004, 0.5], 0, 1)),
    "max_decay": ([0.5, 0.9, 1.0], 0.01, 1),
    "threshold": ([4.0, 5.0, 6.5], 4, 8),
    "sma_threshold": ([4.0, 5.0, 6.5], 4, 8),
    "steps": ([0, 1, 3], None, None),
}
NOT_ZERO = {("adadelta", "eps")}
SCHEDULED = ("learning_rate", "lr", "weight_decay", "b1", "b2", "decay")


class Recipe(NamedTuple):
    """A factory's name, its arguments, and what each is made: a number of some library, or a schedule."""

    name: str
    arguments: dict[str, Any]
    kinds: dict[str, str]

    def build(self):
        given = {n: KINDS[self.kinds.get(n, "python")](v) for n, v in self.arguments.items()}
        return FACTORIES[self.name](**given)

    def has(self, names):
        return any(part in self.name for part in names)

    @property
    def delicate(self):
        return self.has(DELICATE) or bool(self.arguments.get("centered"))


KINDS = {
    "python": lambda v: v,
    "numpy": lambda v: (
        tuple(map(np.float32, v)) if isinstance(v, tuple) else np.asarray(v, np.result_type(v))[()]
    ),
    "numpy32": lambda v: np.float32(v),
    "jax": lambda v: jnp.asarray(v, jnp.int32 if isinstance(v, int) else jnp.float32),
    "schedule": lambda v: lambda count: jnp.asarray(v, "float32") + 0 * count.astype("float32"),
}


def can_be_scheduled(name, argument):
    if name.startswith(OFF_MENU) or argument not in SCHEDULED:
        return False
    if argument == "weight_decay":
        return name != "official_radam"
    return argument != "b2" or "radam" not in name


@st.composite
def recipes(draw, *, injected=False):
    name = draw(st.sampled_from(PRODUCTS if injected else list(FACTORIES)))
    parameters = inspect.signature(FACTORIES[name]).parameters
    arguments, kinds = {}, {}
    required = [
        n for n in ("learning_rate",) if n in parameters and parameters[n].default is inspect.Parameter.empty
    ]
    names = [n for n in parameters if n in VALUES] + ["betas"] * ("betas" in parameters)
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=4)) + required
    for argument in dict.fromkeys(chosen):
        one = functools.partial(value_of, draw, name)
        if argument == "betas":
            arguments[argument] = (one("b1"), one("b2"))
            continue
        arguments[argument] = one(argument)
        options = ["python"] if name.startswith(OFF_MENU) else ["python", "numpy", "numpy32", "jax"]
        options += ["schedule"] * can_be_scheduled(name, argument)
        kinds[argument] = "python" if injected else draw(st.sampled_from(options))
        if isinstance(arguments[argument], int):
            kinds[argument] = draw(st.sampled_from(["python", "numpy", "jax"]))
    flags = [n for n, p in parameters.items() if isinstance(p.default, bool)]
    for flag in draw(st.lists(st.sampled_from(flags), unique=True, max_size=2)) if flags else []:
        arguments[flag] = draw(st.booleans())
    if name == "torch_sgd" and arguments.get("nesterov"):
        arguments |= {"momentum": 0.9, "dampening": 0.0}
        kinds |= {"momentum": "python", "dampening": "python"}
    if name.startswith(("sgd", "rmsprop")) and arguments.get("nesterov") and "momentum" in parameters:
        arguments.setdefault("momentum", 0.9)
        kinds.setdefault("momentum", "python")
    if name == "amsgrad_after_max":
        arguments.pop("bias_correction_nu", None)
    recipe = Recipe(name, arguments, kinds)
    if recipe.delicate:  # At the first step a centred, corrected moment is zero but for rounding; where
        # the decay is small all differences are.
        arguments.pop("bias_correction", None)
        arguments |= {
            n: max(v, 0.5) for n, v in arguments.items() if n in ("b1", "b2", "decay", "alpha", "rho")
        }
        if "betas" in arguments:
            arguments["betas"] = tuple(max(b, 0.5) for b in arguments["betas"])
    return recipe


def value_of(draw, name, argument):
    """A number that float32 holds."""
    listed, low, high = VALUES[argument]
    if (name, argument) in NOT_ZERO:
        listed = listed[1:]
    values = st.sampled_from(listed)
    if low is not None:
        low = 1e-3 if (name, argument) in NOT_ZERO else low
        values |= st.floats(low, high).map(lambda x: 0.0 if x < 1e-6 else x)
    value = draw(values)
    return value if isinstance(value, int) else float(np.float32(value))


class Run(NamedTuple):
    """What a test steps through: trees of NumPy arrays."""

    params: Any
    gradients: list[Any]


def draw_run(draw, tree, *, steps, flavour):
    """``ordinary``: of order 1, with zeros; ``wide``: tiny, huge, repeated; ``normal``: neither."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    exponents = {"ordinary": (-3, 3), "wide": (-18, 15), "normal": (0, 0)}[flavour]

    def values(shape, dtype):
        low, high = (max(-2, exponents[0]), min(1, exponents[1])) if dtype == "float16" else exponents
        x = rng.normal(size=shape) * 10 ** rng.uniform(low, high, size=shape if flavour == "wide" else ())
        if "complex" in dtype:
            x = x * np.exp(2j * np.pi * rng.uniform(size=shape))
        if flavour != "normal":
            x = np.where(rng.random(shape) < 0.2, 0, x)
        return np.asarray(jnp.asarray(x, dtype))

    def narrow(leaf):
        return "float16" if "float16" in leaf[1:] else leaf.gradient

    params = leaf_map(lambda leaf: values(leaf.shape, leaf.dtype), tree)
    gradients = [
        leaf_map(lambda leaf: np.asarray(jnp.asarray(values(leaf.shape, narrow(leaf)), leaf.gradient)), tree)
        for _ in range(steps)
    ]
    if flavour == "wide" and rng.random() < 0.3:
        gradients = gradients[:1] * steps
    if draw(st.booleans()):
        gradients = jax.tree.map(jnp.asarray, gradients)
    return Run(jax.tree.map(np.clip, params, *limits(params)) if flavour == "wide" else params, gradients)


def limits(params):
    """Of wide parameters: decay would make infinities of them."""
    return [jax.tree.map(lambda p: np.asarray(x, p.real.dtype), params) for x in (-1e3, 1e3)]  # noqa: B023


def described(tree):
    return jax.tree.structure(tree), [(np.shape(x), jnp.result_type(x)) for x in jax.tree.leaves(tree)]


def flat(leaves, kind):
    """All elements of the real, or of the complex leaves, padded."""
    chosen = [x.ravel() for x in leaves if np.iscomplexobj(x) == (kind is np.complex128)]
    joined = np.concatenate([np.zeros(0, kind), *(x.astype(kind) for x in chosen)])
    return np.pad(joined, (0, PADDED - joined.size))


def oracle(recipe, params, gradients):
    """What the bare recipe gives in double precision for the flat leaves: a list of updates for each step."""
    kinds = [np.complex128 if np.iscomplexobj(p) else np.float64 for p in params]
    found = {}
    with jax.enable_x64(True):
        for kind in set(kinds):
            tx, p = recipe.build(), flat(params, kind)
            state, found[kind] = tx.init(p), []
            for g in gradients:
                u, state = tx.update(flat(g, kind), state, p)
                found[kind].append(np.asarray(u))
    steps = []
    for t in range(len(gradients)):
        starts, leaves = dict.fromkeys(found, 0), []
        for p, kind in zip(params, kinds, strict=True):
            leaves.append(found[kind][t][starts[kind] : starts[kind] + p.size].reshape(p.shape))
            starts[kind] += p.size
        steps.append(leaves)
    return steps


def magnitudes(recipe, params, gradients):
    """Of each update the sum of the magnitudes of its terms, and by what the coupled decay cancels."""
    decay = recipe.arguments.get("weight_decay", WEIGHT_DECAYS.get(recipe.name, 0.0))
    sign = -1 if recipe.arguments.get("maximize") else 1
    coupled = recipe.has(COUPLED) and "adamw" not in recipe.name
    coupled = coupled and not recipe.arguments.get("decoupled_weight_decay") and decay != 0
    worst = [np.ones(p.shape) for p in params]
    if coupled:
        terms = [[(sign * g, decay * p) for g, p in zip(leaves, params, strict=True)] for leaves in gradients]
        with np.errstate(divide="ignore", invalid="ignore"):
            for leaves in terms:
                ratios = [np.where(a == -b, 1, (abs(a) + abs(b)) / abs(a + b)) for a, b in leaves]
                worst = [np.maximum(w, r) for w, r in zip(worst, ratios, strict=True)]
        gradients = [[sign * abs(a + b) for a, b in leaves] for leaves in terms]
        gradients = [[g.astype(p.dtype) for g, p in zip(leaves, params, strict=True)] for leaves in gradients]
        params = [0 * p for p in params]
    else:
        gradients = [[abs(g).astype(g.dtype) for g in leaves] for leaves in gradients]
        params = [sign * abs(p).astype(p.dtype) for p in params]
    sizes = [[abs(u) for u in leaves] for leaves in oracle(recipe, params, gradients)]
    moved = recipe.name == "projected_amsgrad" or (recipe.name in PRESETS and decay != 0)
    if moved:  # The parameter is rounded on its way.
        sizes = [[u + abs(p) for u, p in zip(leaves, params, strict=True)] for leaves in sizes]
    return sizes, worst


WEIGHT_DECAYS = {"adadelta": 0.01, "adamw": 1e-4, "radamw": 1e-4, "torch_adamw": 0.01}


def assert_updates(recipe, tree, run, actual):
    """Equal to the oracle's within the roundings of the arithmetic, and of each update that is stored."""
    leaves = jax.tree.leaves(tree, is_leaf=is_leaf)
    params, gradients = exact_leaves(run.params), [exact_leaves(g) for g in run.gradients]
    expected = oracle(recipe, params, gradients)
    if recipe.delicate:
        sizes = [[np.full(u.shape, abs(u).max(initial=0)) for u in step] for step in expected]
        worst = [np.full(p.shape, 10.0) for p in params]
    else:
        sizes, worst = magnitudes(recipe, params, gradients)
    rate = max(1.0, float(recipe.arguments.get("learning_rate", recipe.arguments.get("lr", 1.0))))
    ulps = 2000 if recipe.has(ROUNDED_DECAYS) else 100
    for t, updates in enumerate(actual):
        for i, (leaf, u) in enumerate(zip(leaves, jax.tree.leaves(updates), strict=True)):
            stored = [jnp.finfo(d).eps for d in (leaf.gradient, leaf.dtype)[: 2 if recipe.has(TRACED) else 1]]
            arithmetic = min(float(jnp.finfo("float32").eps), *(float(jnp.finfo(d).eps) for d in leaf[1:]))
            relative = ulps * arithmetic + (5 + len(actual)) * max(map(float, stored))
            smallest = max(
                float(jnp.finfo(d).smallest_subnormal if d == "float16" else jnp.finfo(d).tiny)
                for d in leaf[1:]
            )
            allowed = relative * worst[i] * sizes[t][i] + 16 * rate * smallest
            error = abs(np.asarray(u).astype(np.complex128) - expected[t][i])
            wrong = ~(error <= allowed)
            assert not wrong.any(), (
                f"{recipe}, step {t}, {leaf}: {np.asarray(u)[wrong]} is not {expected[t][i][wrong]}; "
                f"error {error[wrong]} > {allowed[wrong]}; "
                f"gradients {[g[i] for g in gradients]}, params {params[i]}"
            )


def exact_leaves(tree):
    return [
        np.asarray(x).astype(np.complex128 if np.iscomplexobj(x) else np.float64)
        for x in jax.tree.leaves(tree)
    ]


def assert_alone(recipe, run, actual):
    """Bit by bit what each leaf gets alone, without a wrapper."""
    tx = recipe.build()
    for i, p in enumerate(jax.tree.leaves(run.params)):
        state = tx.init(p)
        for t, updates in enumerate(actual):
            u, state = tx.update(jax.tree.leaves(run.gradients[t])[i], state, p)
            np.testing.assert_array_equal(jax.tree.leaves(updates)[i], u, err_msg=str(recipe))


def follow(recipe, tx, run, *, jit=False, mask=None):
    """The updates of all steps, with what holds at each of them; ``mask``: of the leaves that it moves."""
    update = jax.jit(tx.update) if jit else tx.update
    state = tx.init(run.params)
    mask = jax.tree.map(lambda _: True, run.params) if mask is None else mask
    kept, found = described(state), []
    for g in run.gradients:
        u, state = update(g, state, run.params)
        wide = described(jax.tree.map(lambda g, p, on: as_wide(g, p) if on else g, g, run.params, mask))
        assert described(u) == wide, f"{recipe} gave {described(u)} for {wide}"
        assert described(state) == kept, f"{recipe} turned its state from {kept} to {described(state)}"
        found.append(u)
    return found


def bare(draw, recipe, tree, run):
    return follow(recipe, recipe.build(), run), run


def behind_a_clip(draw, recipe, tree, run):
    """Clipping is left to optax, and done by hand for the oracle."""

    def clipped(g):
        return (
            g
            if np.iscomplexobj(g)
            else np.asarray(jnp.clip(g, -jnp.asarray(0.5, g.dtype), jnp.asarray(0.5, g.dtype)))
        )

    complex_ = any(map(np.iscomplexobj, jax.tree.leaves(run.gradients)))
    clip = optax.zero_nans() if complex_ else optax.clip(0.5)
    tx = optax.chain(clip, recipe.build(), optax.identity())
    gradients = run.gradients if complex_ else [jax.tree.map(clipped, g) for g in run.gradients]
    return follow(recipe, tx, run), run._replace(gradients=gradients)


def subset(draw, tree):
    choices = np.random.default_rng(draw(st.integers(0, 99))).random(99) < 0.5
    leaves, treedef = jax.tree.flatten(tree, is_leaf=is_leaf)
    return treedef.unflatten([bool(c) for c in choices[: len(leaves)]])


def masked(draw, recipe, tree, run):
    mask = subset(draw, tree)
    updates = follow(recipe, optax.masked(recipe.build(), mask), run, mask=mask)
    for g, u in zip(run.gradients, updates, strict=True):
        for chosen, a, b in zip(*map(jax.tree.leaves, (mask, g, u)), strict=True):
            assert chosen or np.array_equal(a, b, equal_nan=True)
    return chosen_leaves(mask, tree, run, updates)


def partitioned(draw, recipe, tree, run):
    mask = subset(draw, tree)
    labels = jax.tree.map(lambda chosen: "x" if chosen else "y", mask)
    tx = optax.partition({"x": recipe.build(), "y": optax.set_to_zero()}, labels)
    updates = follow(recipe, tx, run, mask=mask)
    for u in updates:
        assert all(
            chosen or not np.any(x) for chosen, x in zip(*map(jax.tree.leaves, (mask, u)), strict=True)
        )
    return chosen_leaves(mask, tree, run, updates)


def chosen_leaves(mask, tree, run, updates):
    def only(t):
        pairs = zip(jax.tree.leaves(mask), jax.tree.leaves(t, is_leaf=is_leaf), strict=True)
        return [x for chosen, x in pairs if chosen]

    return [*map(only, updates)], Run(only(run.params), [*map(only, run.gradients)]), only(tree)


def injected(draw, recipe, tree, run):
    numbers = {n: v for n, v in recipe.arguments.items() if not isinstance(v, bool)}
    factory = functools.partial(
        FACTORIES[recipe.name], **{n: v for n, v in recipe.arguments.items() if isinstance(v, bool)}
    )
    tx = optax.inject_hyperparams(factory, hyperparam_dtype=jnp.float32)(**numbers)
    return follow(recipe, tx, run), run


def jitted(draw, recipe, tree, run):
    return follow(recipe, recipe.build(), run, jit=True), run


def in_multi_steps(draw, recipe, tree, run):
    """Every gradient twice, so that the mean is the gradient; the updates between are zero."""
    twice = run._replace(gradients=[g for g in run.gradients for _ in range(2)])
    with jax.numpy_dtype_promotion("standard"):
        tx = optax.MultiSteps(recipe.build(), every_k_schedule=2)
        updates = follow(recipe, tx, twice, jit=True)
    assert not any(np.any(u) for u in jax.tree.leaves(updates[::2]))
    return updates[1::2], run


def divided(draw, recipe, tree, run):
    """Over as many devices as the only vector is long."""
    mesh = jax.sharding.Mesh(jax.devices()[:3], ("x",))
    return follow(recipe, rx.sharding.shard_state(recipe.build(), mesh, "x"), run, jit=True), run


def if_finite(draw, recipe, tree, run):
    """A NaN in the middle passes without a trace."""
    bad = jax.tree.map(lambda g: np.full_like(g, np.nan), run.gradients[0])
    at = draw(st.integers(0, len(run.gradients)))
    gradients = [*run.gradients[:at], bad, *run.gradients[at:]]
    updates = follow(
        recipe, optax.apply_if_finite(recipe.build(), 3), run._replace(gradients=gradients), jit=True
    )
    if any(g.size for g in jax.tree.leaves(bad)):
        assert not any(np.any(u) for u in jax.tree.leaves(updates.pop(at)))
    return updates, run


def check_run(data, wrappers, tree, recipe, steps):
    wrapper = data.draw(st.sampled_from(wrappers))
    flavours = ["wide", "normal"] if recipe.delicate else ["wide", "ordinary", "normal"]
    flavour = data.draw(st.sampled_from(flavours if wrapper in EAGER else flavours[1:]))
    run = draw_run(data.draw, tree, steps=steps, flavour=flavour)
    actual, run, *rest = wrapper(data.draw, recipe, tree, run)
    tree = rest[0] if rest else tree
    if flavour != "wide":
        assert_updates(recipe, tree, run, actual)
        return
    assert_alone(recipe, run, actual)
    for u, leaf in zip(jax.tree.leaves(actual[-1]), jax.tree.leaves(tree, is_leaf=is_leaf), strict=True):
        assert leaf.gradient == "float16" or np.isfinite(np.asarray(u).astype(np.complex128)).all(), recipe


EAGER = (bare, behind_a_clip, masked, partitioned)


@pytest.mark.parametrize("mode", in_forms(["float32", "x64"], ["float32"]))
@fuzz(60, 140)
def test_any_tree_and_recipe_gives_the_numbers_of_each_leaf_alone(data, mode):
    """Eager, so that the kernels, cached by shape and dtype, are compiled once for all cases."""
    with jax.enable_x64(mode == "x64"):
        tree = data.draw(trees(WIDE_DTYPES if mode == "x64" else DTYPES))
        check_run(data, EAGER, tree, data.draw(recipes()), data.draw(st.integers(1, 7)))


@fuzz(15, 35)
def test_compiled_wrappers_give_them_too(data):
    wrapper = data.draw(st.sampled_from([injected, jitted, divided, in_multi_steps, if_finite]))
    tree = {"a": Leaf((3,), "float32", "float32"), "b": [None, Leaf((), "bfloat16", "bfloat16")]}
    if wrapper is injected:
        tree = data.draw(trees(DTYPES))
    recipe = data.draw(recipes(injected=wrapper is injected))
    check_run(data, [wrapper], tree, recipe, data.draw(st.integers(1, 7)))


# ---- Malformed updates, states and parameters.


class Unknown:
    """An object of no use."""

    def __repr__(self):
        return "Unknown()"


JUNK = [
    None,
    True,
    "x",
    b"x",
    "",
    math.nan,
    math.inf,
    -1,
    2.5,
    10**400,
    1j,
    (),
    [],
    {},
    {"a": 1},
    [1.0, "x"],
    Unknown(),
    print,
]


def is_container(x):
    return isinstance(x, dict | list | tuple)


def nodes(tree, path=()):
    """All nodes with their paths, the root first."""
    yield path, tree
    if is_container(tree):
        for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from nodes(child, (*path, key))


def rebuilt(like, children):
    return type(like)(*children) if hasattr(like, "_fields") else type(like)(children)


def replaced(tree, path, new):
    if not path:
        return new
    if isinstance(tree, dict):
        return tree | {path[0]: replaced(tree[path[0]], path[1:], new)}
    children = [replaced(x, path[1:], new) if i == path[0] else x for i, x in enumerate(tree)]
    return rebuilt(tree, children)


def other_arrays(x):
    """The array in other shapes and dtypes, and the same in other clothes."""
    as_numpy = np.asarray(x)
    return {
        "(1,)": lambda: as_numpy.ravel()[:1],
        "(3, 1)": lambda: np.resize(as_numpy, (3, 1)),
        "first": lambda: as_numpy.ravel()[0],
        "leading": lambda: x[None],
        "trailing": lambda: x[..., None],
        "flat": lambda: as_numpy.ravel(),
        "transposed": lambda: x.T,
        "empty": lambda: x.ravel()[:0],
        "int": lambda: as_numpy.astype("int32"),
        "bool": lambda: as_numpy.astype(bool),
        "complex": lambda: as_numpy.astype("complex64"),
        "float16": lambda: as_numpy.astype("float16"),
        "float64": lambda: as_numpy.astype("float64"),
        "text": lambda: np.full(x.shape, "x"),
        "object": lambda: as_numpy.astype(object),
        "dates": lambda: np.zeros(x.shape, "datetime64[s]"),
        "record": lambda: np.zeros(x.shape, [("a", "f4")]),
        "list": lambda: as_numpy.tolist(),
        "NumPy": lambda: as_numpy,
        "JAX": lambda: jnp.asarray(as_numpy),
        "random key": lambda: jax.random.split(jax.random.key(0), x.shape),
    }


def other_containers(x):
    """The container with something missing, too much, or exchanged."""
    if isinstance(x, dict):
        keys = list(x)
        return {
            "missing": lambda: {k: x[k] for k in keys[1:]},
            "extra": lambda: x | {"extra": next(iter(x.values()), 1.0)},
            "renamed": lambda: {f"{k}_" if k == keys[0] else k: v for k, v in x.items()},
            "renumbered": lambda: dict(enumerate(x.values())),
            "list": lambda: list(x.values()),
        }
    return {
        "missing": lambda: tuple(x)[:-1] if isinstance(x, tuple) else x[:-1],
        "extra": lambda: type(x)([*x, *x[:1]]) if not hasattr(x, "_fields") else (*x, 1.0),
        "plain": lambda: list(x) if type(x) is tuple else tuple(x),
        "reversed": lambda: rebuilt(x, x[::-1]),
        "dict": lambda: dict(enumerate(x)),
    }


@st.composite
def mutated(draw, tree, at=None, junk=JUNK):
    """The tree with one node changed at random, and how."""
    candidates = [(path, node) for path, node in nodes(tree) if at is None or at(path)]
    path, node = draw(st.sampled_from(candidates))
    others = {f"junk {i}": functools.partial(copy.copy, x) for i, x in enumerate(junk)}
    if hasattr(node, "dtype") and node.size and not jnp.issubdtype(node.dtype, jax.dtypes.prng_key):
        others |= other_arrays(node)
    elif is_container(node):
        others |= other_containers(node)
    kind = draw(st.sampled_from(sorted(others)))
    return replaced(tree, path, others[kind]()), (kind, path)


def values(seed, dtype="float32"):
    """Parameters or gradients: a matrix, a vector as long as its rows, a scalar, another dtype."""
    rng = np.random.default_rng(seed)

    def leaf(shape, dtype=dtype):
        return jnp.asarray(rng.normal(size=shape), dtype)

    return {"a": leaf((2, 3)), "b": [leaf((3,)), leaf(())], "c": leaf((3,), "bfloat16")}


# Those off the menu end in a link of optax, which checks its state less.
STEPPED = {name: {} for name in FACTORIES if not name.startswith("rectified")} | {
    ("torch_sgd", "momentum"): {"momentum": 0.9, "dampening": 0.5},
    ("torch_rmsprop", "centered"): {"momentum": 0.9, "centered": True},
    ("torch_adam", "amsgrad"): {"amsgrad": True, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ("official_radam", "decay"): {"weight_decay": 0.1},
    ("adamw", "schedules"): {
        **dict.fromkeys(["learning_rate", "weight_decay", "b1", "b2"], lambda count: 0.1)
    },
    ("radamw", "amsgrad"): {"amsgrad": True, "degenerated_to_sgd": False},
}


@functools.cache
def stepped(name):
    """A recipe, its state after an update, and what the next one gives."""
    arguments = dict(STEPPED[name])
    factory = FACTORIES[name if isinstance(name, str) else name[0]]
    if "learning_rate" in inspect.signature(factory).parameters:
        arguments.setdefault("learning_rate", 0.1)
    with tolerant():
        tx = factory(**arguments)
        _, state = tx.update(values(1), tx.init(values(0)), values(0))
        return tx, state, tx.update(values(1), state, values(0))


@contextlib.contextmanager
def tolerant():
    """JAX as users have it, where shapes and dtypes that do not fit are broadcast and promoted."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def same_numbers(actual, expected):
    if described(actual)[0] != described(expected)[0]:
        return False
    pairs = list(zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True))
    return all(np.shape(a) == np.shape(b) for a, b in pairs) and all(
        np.allclose(np.asarray(a).astype(complex), np.asarray(b).astype(complex), rtol=0.05, atol=1e-3)
        for a, b in pairs
    )


def check_update(data):
    name = data.draw(st.sampled_from(list(STEPPED)))
    tx, state, (expected, expected_state) = stepped(name)
    given = {"updates": values(1), "state": state, "params": values(0)}
    which = data.draw(st.sampled_from(["updates", "state", "state", "params"]))
    if which == "state" and data.draw(st.integers(0, 9)) == 0:
        other = data.draw(st.sampled_from(list(STEPPED)))
        malformed, how = stepped(other)[1], ("swapped", other)
    else:
        malformed, how = data.draw(mutated(given[which]))
    what = f"{name}: {which} {how}"
    try:
        with tolerant(), bounded():
            updates, new_state = tx.update(*(given | {which: malformed}).values())
    except Exception as error:
        assert_clear(what, error, "pdates", "state", "params", "Leaf", "Parameter", "array")
        return
    if how[0] == "swapped" and looks_valid(*(jax.tree.leaves(x) for x in unclocked(malformed, state))):
        return  # Of a link that counts and one that does not, and alike in all else.
    if looks_valid(malformed, given[which]) or not (which == "params" or jax.tree.leaves(state)):
        return  # No one could tell.
    if which == "updates":
        assert_missing_or_same(what, malformed, updates, expected)
        assert [np.shape(x) for x in jax.tree.leaves(new_state)] == [
            np.shape(x) for x in jax.tree.leaves(state)
        ], what
        return
    assert same_numbers(updates, expected), f"{what}: {updates} is not {expected}"
    shapes = [[np.shape(x) for x in jax.tree.leaves(t)] for t in (new_state, expected_state, malformed)]
    assert shapes[0] in shapes[1:], f"{what}: {new_state}"  # Links without a state pass it on.


def unclocked(*states):
    """The states without their clocks."""
    return jax.tree.map(
        lambda x: () if isinstance(x, rx.Clock) else x, states, is_leaf=lambda x: isinstance(x, rx.Clock)
    )


def looks_valid(malformed, original):
    try:
        return described(malformed) == described(original)
    except Exception:
        return False


def assert_missing_or_same(what, given, updates, expected):
    """A gradient that is None gets no update; all others get theirs."""

    def is_none(x):
        return x is None

    leaves, treedef = jax.tree.flatten(given, is_leaf=is_none)
    for g, u, e in zip(leaves, treedef.flatten_up_to(updates), treedef.flatten_up_to(expected), strict=True):
        if jnp.iscomplexobj(g) and jnp.iscomplexobj(u):
            continue  # Where the state is real for all parameters, a complex gradient is one like another.
        assert (g is None and u is None) or same_numbers(u, e), f"{what}: {u} is not {e}"


# ---- Malformed hyperparameters.

OBJECTS = [
    *JUNK,
    np.float64(math.nan),
    np.asarray(0.5),
    np.asarray("x"),
    np.asarray(None),
    np.ones(3),
    np.ones((1, 1)),
    np.zeros(0),
    jnp.ones(3),
    jnp.ones(()),
    np.datetime64("2020-01-01"),
    np.timedelta64(1, "s"),
    fractions.Fraction(1, 2),
    decimal.Decimal("0.5"),
    float,
    jnp.float32,
    "float32",
    "float8_e4m3fn",
    "int4",
    np.dtype("float64"),
    np.dtype([("a", "f4")]),
    (0.9, 0.999),
    [0.9, 0.999],
    (0.9, "x"),
    (0.9, 1.0),
    (0.9, 0.99, 0.999),
    ((0.9,), 0.9),
    {0.9, 0.999},
    -0.0,
    5e-324,
    1e-30,
    0.5,
    5,
    2**31,
    1e30,
    "exact",
    "none",
    optax.identity(),
    rx.first_moment(0.9),
    {"a": True, "b": False},
    {"a": True},
]
CALLABLES = {
    "array": lambda *_: jnp.ones(3),
    "(1,)": lambda *_: jnp.full(1, 0.5),
    "None": lambda *_: None,
    "text": lambda *_: "x",
    "list": lambda *_: [0.5],
    "object": lambda *_: Unknown(),
    "bool": lambda *_: True,
    "integer": lambda *_: 0,
    "float": lambda *_: 0.5,
    "NumPy": lambda *_: np.float64(0.5),
    "nothing taken": lambda: 0.5,
    "two taken": lambda a, b: 0.5,
    "raises": lambda *_: [][1],
}
FILLED = REQUIRED | {"rate": rx.inverse_root(), "projection_fn": lambda x: x}
OF_VALUES = ("rectification_stats", "effective_rate", "step_count", "without_lookahead", "rectification")
OF_VALUES += ("adaptive_rate_variance", "total_weight", "decompress_state", "schedule_free_eval_params")
OF_VALUES += ("decompress_params", "replace_params")
OF_VALUES += ("schedule_free_train_params", "mixture")  # Which takes its parts by position.
IN_A_RATE = ("belief_moment", "atan2_rate", "update_clipping", "signal")
PUBLIC_FACTORIES = [
    name
    for name in PUBLIC
    if name not in OF_VALUES and name not in CODECS and inspect.signature(PUBLIC[name]).parameters
]


def check_argument(data):
    name = data.draw(st.sampled_from(PUBLIC_FACTORIES))
    parameters = inspect.signature(PUBLIC[name]).parameters
    argument = data.draw(st.sampled_from(list(parameters)))
    numbers = st.floats() | st.integers() | st.text(max_size=3) | st.complex_numbers()
    kind = data.draw(st.sampled_from(["object", "callable", "number"]))
    if kind == "callable":
        which = data.draw(st.sampled_from(list(CALLABLES)))
        value = CALLABLES[which]
    else:
        value = data.draw(st.sampled_from(OBJECTS) if kind == "object" else numbers)
        which = repr(value)
    required = {p.name: FILLED[p.name] for p in parameters.values() if p.default is p.empty}
    what = f"{name}({argument}={which})"
    try:
        with tolerant(), bounded():
            made = PUBLIC[name](**(required | {argument: value}))
            if hasattr(made, "init"):
                p = {"a": jnp.asarray([0.5, 1.0, 2.0]), "b": jnp.ones(())}
                state = made.init(p)
                for _ in range(3):
                    made_update, state = made.update(
                        p, state, p, **({"momentum": p, "gradient": p} if name in IN_A_RATE else {})
                    )
                made = made_update
            elif callable(made):
                made = [made(count) for count in (0, 1, 10)]
    except Exception as error:
        if isinstance(error, RuntimeWarning) and isinstance(value, int | float) and abs(value) > 1e30:
            return  # float32 has no number for it.
        own = which in ("raises", "nothing taken", "two taken") or argument == "projection_fn"
        if not own:  # Not what a function of the user says.
            assert_clear(what, error, f"`{argument}", "schedule", "is complex64")
        return
    if isinstance(value, jax.Array) or argument == "power" or which == "bool":
        return  # Not read, like what a schedule returns; a power may be any.
    if isinstance(value, int | float) and abs(value) > 1e30:
        return  # float32 has no number for it.
    for leaf in jax.tree.leaves(made):
        leaf = np.asarray(leaf)
        assert leaf.dtype != object, what
        assert np.isfinite(leaf.astype(complex)).all(), f"{what}: {leaf}"


@fuzz(400, 1200)
def test_a_malformed_update_is_refused_or_right(data):
    """One node of the updates, the state or the parameters is changed, with JAX as lenient as it can be."""
    check_update(data)


@fuzz(400, 2000)
def test_a_malformed_argument_is_refused_or_right(data):
    """Any object for any argument of any factory."""
    check_argument(data)


# ---- Malformed states of PyTorch and optax.

LINEAR = {"weight": jnp.zeros((2, 3)), "bias": jnp.zeros(3)}
SETTINGS = {"lr": 0.001, "weight_decay": 0, "maximize": False, "foreach": None}
BETAS = {"betas": (0.9, 0.999), "eps": 1e-8}
MOVES = {
    "torch_adam": (
        BETAS | {"amsgrad": False, "decoupled_weight_decay": False},
        ["step", "exp_avg", "exp_avg_sq"],
        {},
    ),
    "amsgrad": (
        BETAS | {"amsgrad": True, "decoupled_weight_decay": False},
        ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
        {"amsgrad": True},
    ),
    "torch_radam": (BETAS | {"decoupled_weight_decay": False}, ["step", "exp_avg", "exp_avg_sq"], {}),
    "torch_adamax": (BETAS | {"lr": 0.002}, ["step", "exp_avg", "exp_inf"], {}),
    "torch_nadam": (
        BETAS | {"lr": 0.002, "momentum_decay": 0.004, "decoupled_weight_decay": False},
        ["step", "mu_product", "exp_avg", "exp_avg_sq"],
        {},
    ),
    "official_radam": (BETAS | {"buffer": [[None] * 3] * 10}, ["step", "exp_avg", "exp_avg_sq"], {}),
    "torch_sgd": (
        {"momentum": 0.9, "dampening": 0, "nesterov": False},
        ["momentum_buffer"],
        {"momentum": 0.9},
    ),
    "torch_rmsprop": (
        {"lr": 0.01, "momentum": 0.9, "alpha": 0.99, "eps": 1e-8, "centered": True},
        ["step", "square_avg", "grad_avg", "momentum_buffer"],
        {"momentum": 0.9, "centered": True},
    ),
    "torch_adagrad": (
        {"lr": 0.01, "lr_decay": 0, "eps": 1e-10, "initial_accumulator_value": 0},
        ["step", "sum"],
        {},
    ),
}


def torch_state(name):
    """A state_dict with whole numbers, which any dtype holds."""
    settings, keys, _ = MOVES[name]

    def entry(shape):
        kept = {"step": np.asarray(3.0, "float32"), "mu_product": np.asarray(0.5, "float32")}
        array = np.arange(1, 1 + math.prod(shape), dtype="float32").reshape(shape)
        return {key: kept.get(key, array * (100 if "sq" in key else 1)) for key in keys}

    group = SETTINGS | settings | {"params": [0, 1], "param_names": ["weight", "bias"]}
    return {"state": {0: entry((2, 3)), 1: entry((3,))}, "param_groups": [group]}


def move(name, state_dict, **options):
    tx = getattr(presets, "torch_adam" if name == "amsgrad" else name)(**MOVES[name][2])
    counted = {"count": 3} if name == "torch_sgd" else {}
    with tolerant():
        state = migrate.from_torch(state_dict, LINEAR, tx, **(counted | options))
        assert described(state) == described(tx.init(LINEAR)), f"{name}: {state}"
        return tx.update(jax.tree.map(jnp.ones_like, LINEAR), state, LINEAR)[0]


NAMES = {
    "wrong axes": lambda path, shape: (path, (1, 0)),
    "no axes": lambda path, shape: (path, ()),
    "identity": lambda path, shape: (path, tuple(range(len(shape)))),
    "axes that are none": lambda path, shape: (path, "01"[: len(shape)]),
    "negative axes": lambda path, shape: (path, tuple(range(-len(shape), 0))),
    "fractions": lambda path, shape: (path, [0.0, 1.0][: len(shape)]),
    "a number for axes": lambda path, shape: (path, 0),
    "one name": lambda path, shape: ("weight", None),
    "numbers": lambda path, shape: (len(shape), None),
    "None": lambda path, shape: (None, None),
    "lists": lambda path, shape: ([path], None),
    "only the name": lambda path, shape: path,
    "nothing": lambda path, shape: None,
    "three": lambda path, shape: (path, None, None),
    "other names": lambda path, shape: (path + "_", None),
    "exchanged": lambda path, shape: ({"weight": "bias", "bias": "weight"}[path], None),
    "one argument": lambda path: (path, None),
    "no function": "weight",
}
ORDERS = [
    ["weight", "bias"],
    ["bias", "weight"],
    ["weight", "weight"],
    ["weight"],
    [],
    ["weight", "bias", "x"],
    [1, 2],
    [None, "bias"],
    [["weight"], "bias"],
    "wb",
    5,
    {"weight": 0, "bias": 1},
    {"weight", "bias"},
    iter(["weight", "bias"]),
]


def fewer_entries(state_dict, whole):
    """Whether it is the whole one but for entries that are empty or left out."""
    if not isinstance(state_dict, dict) or not isinstance(state_dict.get("state"), dict):
        return False
    kept = {
        i: entry
        for i, entry in state_dict["state"].items()
        if isinstance(entry, dict) and any(x is not None for x in entry.values())
    }
    return len(kept) < len(whole["state"]) and kept.keys() <= whole["state"].keys()


def check_move(data):
    name = data.draw(st.sampled_from(list(MOVES)))
    which = data.draw(st.sampled_from(["state_dict"] * 6 + ["names", "order", "group", "count"]))
    state_dict, options, lossy = torch_state(name), {}, False
    if which == "state_dict":
        state_dict, how = data.draw(mutated(state_dict))
        # A state without entries is that of a run before its first step, an empty one, or one that is left
        # out, that of a parameter that had no gradient.
        lossy = how[0] in ("bool", "float16") or fewer_entries(state_dict, torch_state(name))
    elif which == "names":
        how = data.draw(st.sampled_from(list(NAMES)))
        options["names"] = NAMES[how]
    else:
        how = data.draw(st.sampled_from(ORDERS if which == "order" else JUNK))
        options[which] = copy.copy(how)
    what = f"from_torch, {name}: {which} {how}"
    try:
        updates = move(name, state_dict, **options)
    except AssertionError:
        raise
    except Exception as error:
        if how not in ("one argument", "no function"):  # Python's own message says what is wrong.
            assert_clear(what, error, within=(PACKAGE,))
        return
    assert lossy or same_numbers(updates, expected_move(name)), (
        f"{what}: {updates} is not {expected_move(name)}"
    )


@functools.cache
def expected_move(name):
    return move(name, torch_state(name))


OPTAX = {
    "adam": {},
    "adamw": {},
    "nadam": {},
    "amsgrad": {},
    "radam": {"b2": 0.9},
    "rmsprop": {"momentum": 0.9},
    "adagrad": {},
    "sgd": {"momentum": 0.9},
}


@functools.cache
def optax_move(name, direction):
    """The optimizer that goes on, a state of the other, and the next updates."""
    ours, theirs = (getattr(module, name)(0.1, **OPTAX[name]) for module in (rx, optax))
    first, second = (theirs, ours) if direction == "from_optax" else (ours, theirs)
    with tolerant():
        _, state = first.update(values(1), first.init(values(0)), values(0))
        return second, state, first.update(values(1), state, values(0))[0]


def check_optax(data):
    name = data.draw(st.sampled_from(list(OPTAX)))
    direction = data.draw(st.sampled_from(["from_optax", "to_optax"]))
    tx, state, expected = optax_move(name, direction)
    malformed, how = data.draw(mutated(state))
    what = f"{direction}, {name}: {how}"
    try:
        with tolerant():
            moved = getattr(migrate, direction)(malformed, values(0), tx, count=1)
    except Exception as error:
        assert_clear(what, error, within=(PACKAGE,))
        return
    with tolerant():
        assert described(moved) == described(tx.init(values(0))), f"{what}: {moved}"
        updates, _ = tx.update(values(1), moved, values(0))
    lossy = how[0] in ("int", "bool") or looks_valid(malformed, state) or how[0] == "reversed"
    assert lossy or same_numbers(updates, expected), f"{what}: {updates} is not {expected}"


@fuzz(400, 2000)
def test_a_malformed_state_of_pytorch_is_refused_or_right(data):
    """One node of the state_dict is changed, or `names`, or `order`."""
    check_move(data)


@fuzz(200, 1000)
def test_a_malformed_state_of_optax_is_refused_or_right(data):
    """One node of the state is changed, from and to optax."""
    check_optax(data)


# ---- Damaged files.


def damaged(draw, content):
    """The bytes with a part changed, lost or added."""
    kind = draw(
        st.sampled_from(["flip", "flips", "zeros", "cut", "begin", "insert", "empty", "garbage", "twice"])
    )
    at = draw(st.integers(0, max(0, len(content) - 1)))
    count = draw(st.sampled_from([1, 2, 8, 64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    match kind:
        case "flip" | "flips":
            changed = bytearray(content)
            for i in [at] if kind == "flip" else rng.integers(0, max(1, len(content)), count):
                if i < len(changed):
                    changed[i] ^= 1 << rng.integers(8)
            return bytes(changed)
        case "zeros":
            return content[:at] + bytes(len(content[at : at + count])) + content[at + count :]
        case "cut":
            return content[:at]
        case "begin":
            return content[at + 1 :]
        case "insert":
            return content[:at] + rng.bytes(count) + content[at:]
        case "garbage":
            return rng.bytes(count)
        case "twice":
            return content + content
    return b""


JSONS = ["", "{}", "[]", "null", "1", '"x"', "{", "NaN", '{"content": {}}', '{"content": null, "crc32": 0}']
SAVED = {"w": jnp.arange(6.0).reshape(2, 3), "b": jnp.ones(3), "h": jnp.ones(2, "bfloat16")}


def saved_at(step):
    params = jax.tree.map(lambda p: p + jnp.asarray(step, p.dtype), SAVED)
    tx = rx.radam(1e-3)
    _, state = tx.update(params, tx.init(params), params)
    return params, state, {"key": jnp.arange(step, step + 3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the checkpoints of steps 1 and 2."""
    checkpoint = pytest.importorskip("radam_optax.checkpoint")
    folder = tmp_path_factory.mktemp("saved")
    with checkpoint.Checkpoints(folder, rx.radam(1e-3)) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, *saved_at(step))
    return folder


def damage(data, folder):
    """Something happens to one or two files or folders; says to which steps, and what."""
    done = []
    for _ in range(data.draw(st.integers(1, 2))):
        found = sorted(p for p in folder.rglob("*") if p.name != "1")
        if not found:
            return done
        path = data.draw(st.sampled_from(found))
        kind = data.draw(
            st.sampled_from(["bytes"] * 4 + ["json", "delete", "swap", "rename", "folder", "file"])
        )
        done.append(f"{kind} {path.relative_to(folder)}")
        if kind == "bytes" and path.is_file():
            path.write_bytes(damaged(data.draw, path.read_bytes()))
        elif kind == "json" and path.is_file():
            path.write_text(data.draw(st.sampled_from(JSONS)))
        elif kind == "swap" and path.is_file():
            other = data.draw(st.sampled_from([p for p in found if p.is_file()]))
            content = path.read_bytes()
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
            done[-1] += f" and {other.relative_to(folder)}"
        elif kind == "rename":
            path.rename(path.with_name(path.name + "_"))
        elif path.is_dir():
            shutil.rmtree(path)
            if kind == "file":
                path.write_bytes(b"x")
        elif kind != "json":
            path.unlink()
            if kind == "folder":
                path.mkdir()
    return done


def check_checkpoint(data, folder, copy_to):
    from radam_optax.checkpoint import Checkpoints

    shutil.rmtree(copy_to, ignore_errors=True)
    shutil.copytree(folder, copy_to)
    done = damage(data, copy_to)
    listed = (copy_to / "2").is_dir()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with Checkpoints(copy_to, rx.radam(1e-3)) as checkpoints:
                found = checkpoints.restore(SAVED, {"key": jnp.arange(3)})
        except Exception as error:
            assert_clear(str(done), error, "step 1", "step 2", "listed", within=(PACKAGE,))
            return
    if found is None:
        assert not listed, f"{done}: nothing is found, and nothing said"
        return
    assert found.step in (1, 2), f"{done}: step {found.step}"
    assert bits(found[1:]) == bits(saved_at(found.step)), f"{done}: {found}"
    said = any("checkpoint of step 2" in str(w.message) for w in caught)
    assert found.step == 2 or said or not listed, f"{done}: step 2 is passed over silently"


@fuzz(40, 250)
def test_a_damaged_checkpoint_is_refused_passed_over_aloud_or_right(data, folder, tmp_path):
    """Files and folders are changed, cut, swapped, renamed and deleted."""
    check_checkpoint(data, folder, tmp_path / "copy")


MODULE = {"weight": np.arange(6, dtype="float32").reshape(2, 3), "bias": np.ones(3, "float32")}


def check_file(data, path, content, same):
    changed = damaged(data.draw, content)
    path.write_bytes(changed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = migrate.load_torch(path)
    except Exception as error:
        assert_clear(path.suffix, error, str(path), within=(PACKAGE,))
        return
    same(loaded, changed)


@pytest.mark.parity
@fuzz(200, 500)
def test_a_damaged_file_of_pytorch_is_refused_or_right(data, tmp_path):
    """Its zip archive has a checksum of each tensor."""
    torch = pytest.importorskip("torch")
    path = tmp_path / "module.pt"
    torch.save({name: torch.tensor(x) for name, x in MODULE.items()}, path)

    def same(loaded, changed):
        try:
            params = migrate.params_from_torch(loaded, LINEAR)
        except Exception as error:
            assert_clear(".pt", error, within=(PACKAGE,))
            return
        for name, x in MODULE.items():
            assert np.array_equal(params[name], x), f".pt: {name} is {params[name]}"

    check_file(data, path, path.read_bytes(), same)


@pytest.mark.parity
@fuzz(200, 500)
def test_a_damaged_file_of_safetensors_is_refused_or_right_where_it_is_whole(data, tmp_path):
    """It has no checksum: numbers may change unnoticed, but not what they are numbers of."""
    save = pytest.importorskip("safetensors.numpy").save
    content = save(MODULE)

    def same(loaded, changed):
        try:
            params = migrate.params_from_torch(loaded, LINEAR)
        except Exception as error:
            assert_clear(".safetensors", error, within=(PACKAGE,))
            return
        bytes_ = {name: np.asarray(params[name]).tobytes() for name in sorted(MODULE)}
        assert b"".join(bytes_.values()) == changed[-36:], f".safetensors: {params}"

    check_file(data, tmp_path / "module.safetensors", content, same)
