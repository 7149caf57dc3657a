"""Bad input gets a clear error: the argument, the rule and the value; of a tree the path and both shapes.

The domains are stated here once more, so that a slip in the package's own table shows.
"""

import inspect
import math
import re
import types

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

import radam_optax as rx
from radam_optax._core.calls import validated
from tests.support.public import MESH, PRESETS, PUBLIC, REQUIRED
from tests.support.recipes import RECIPES, build, every_recipe

INTERVALS = {
    "learning_rate": "[0, inf)",
    "lr": "[0, inf)",
    "min_lr": "[0, inf)",
    "lr_decay": "[0, inf)",
    "momentum_decay": "[0, inf)",
    "weight_decay": "[0, inf)",
    "b1": "[0, 1)",
    "b2": "[0, 1)",
    "ahead": "[0, 1)",
    "decay": "[0, 1)",
    "alpha": "[0, 1)",
    "beta_1": "[0, 1)",
    "beta_2": "[0, 1)",
    "rho": "[0, 1)",
    "momentum": "[0, 1]",
    "max_decay": "(0, 1]",
    "eps": "[0, inf)",
    "eps_root": "[0, inf)",
    "epsilon": "[0, inf)",
    "dampening": "(-inf, inf)",
    "sma_threshold": "[4, inf)",
    "warmup_proportion": "[0, 1]",
    "initial": "[0, inf)",
    "initial_scale": "[0, inf)",
    "initial_accumulator_value": "[0, inf)",
    "peak_value": "[0, inf)",
    "init_value": "[0, inf)",
    "threshold": "[2, inf)",  # With variance="exact"; see the test of the other one.
    "fallback": "(-inf, inf)",
    "power": "(-inf, inf)",
    "exponent": "[-2, 2]",
    "floor": "[0, inf)",
    "delayed": "[0, inf)",
    "b3": "[0, 1)",
    "a": "[0, inf)",
    "b": "[0, inf)",
    "r": "[0, inf)",
    "weight_lr_power": "[0, inf)",
    "smooth_beta": "[0, inf)",
    "final_lr": "[0, inf)",
    "gamma": "(0, inf)",
    "base_lr": "[1e-30, inf)",
    "partial": "[0, 0.5]",
}
SCHEDULE_FREE = ("schedule_free", "schedule_free_sgd", "schedule_free_adamw", "schedule_free_radam")
EXCEPTIONS = {
    **{(name, "b1"): "(0, 1]" for name in SCHEDULE_FREE},
    ("ademamix_b3", "b1"): "(0, 1)",
    ("ademamix_b3", "b3"): "(0, 1)",
    ("ademamix_alpha", "alpha"): "[0, inf)",
    ("ademamix", "alpha"): "(-inf, inf)",
    ("scale_by_ademamix", "alpha"): "(-inf, inf)",
    ("cautious", "floor"): "(0, 1]",
    ("delay", "initial"): "(-inf, inf)",
    ("trace", "decay"): "[0, 1]",
    ("first_moment", "delayed"): "(-inf, inf)",
    ("amsgrad_max", "decay"): "(0, 1]",
    ("first_moment", "initial"): "(-inf, inf)",
    ("nesterov_moment", "initial"): "(-inf, inf)",
}
SCHEDULABLE = ("learning_rate", "lr", "weight_decay", "b1", "b2", "b3", "ahead", "decay")
NOT_SCHEDULABLE = {
    ("official_radam", "weight_decay"),
    ("amsgrad_max", "decay"),
    *((name, "b1") for name in SCHEDULE_FREE),
    ("schedule_free_radam", "b2"),
    ("trace", "decay"),
    ("infinity_moment", "b2"),
    ("adamax", "b2"),
    ("adamaxw", "b2"),
    ("scale_by_adamax", "b2"),
    ("ademamix_b3", "b1"),
    ("ademamix_b3", "b3"),
    ("untuned_linear_warmup", "b2"),
    ("untuned_exponential_warmup", "b2"),
}
WORDS = {
    ("scale_by_amsgrad", "bias_correction"): ("before_max", "after_max", "none"),
    ("amsgrad", "bias_correction"): ("before_max", "after_max", "none"),
    ("adaptive_rate_variance", "method"): ("first_order", "exact"),
    ("scale_by_lion", "mode"): ("hard", "smooth", "refined"),
    **{
        (name, argument): options
        for name in ("radam", "radamw", "scale_by_radam", "scale_by_rectification", "rectification")
        for argument, options in {
            "variance": ("first_order", "exact"),
            "length": ("centre_of_mass", "variance"),
        }.items()
    },
}
DTYPES = ("dtype", "state_dtype", "mu_dtype", "nu_dtype", "accumulator_dtype", "update_dtype")
STEPS = {
    "adam_2k": "steps",
    "freeze_until": "steps",
    "tfa_radam": "total_steps",
    "ademamix_alpha": "steps",
    "ademamix_b3": "steps",
}
SIZES = {  # Their ranges.
    ("delay", "steps"): (1, 1000),
    ("compress_state", "min_size"): (0, None),
    ("offload_state", "min_size"): (1, None),
    ("offload_state", "group_bytes"): (1, None),
    ("offload_state", "in_flight"): (1, None),
    ("int8_blockwise", "block_size"): (2, None),
    ("int8_blockwise", "shards"): (1, None),
    ("float8_stochastic", "max_exponent"): (-63, 127),
}
PAIRS = [name for name, f in PRESETS.items() if "betas" in inspect.signature(f).parameters]

# Functions of arrays: any shape is welcome.
ARRAYS = {("rectification", "b2"), ("total_weight", "decay"), ("adaptive_rate_variance", "rho")}
# A link, not a number.
LINKS = {("scale_by_adaptive_rate", "momentum")}

ARGUMENTS = [(name, argument) for name, f in PUBLIC.items() for argument in inspect.signature(f).parameters]
NUMBERS = [a for a in ARGUMENTS if a[1] in INTERVALS and a not in ARRAYS | LINKS]
# They multiply updates or parameters: arrays that broadcast against these are welcome.
FACTORS = {
    *(a for a in NUMBERS if a[1] in ("learning_rate", "lr", "weight_decay")),
    ("ademamix", "alpha"),
    ("scale_by_ademamix", "alpha"),
} - {
    ("official_radam", "weight_decay"),
    *((name, "learning_rate") for name in (*SCHEDULE_FREE, "adabound")),
}
FLAGS = [
    (name, argument)
    for name, argument in ARGUMENTS
    if isinstance(inspect.signature(PUBLIC[name]).parameters[argument].default, bool)
]


def call(name, **arguments):
    """The public function, its required arguments filled in."""
    parameters = inspect.signature(PUBLIC[name]).parameters.values()
    required = {p.name: REQUIRED[p.name] for p in parameters if p.default is p.empty}
    exact = {"variance": "exact"} if "threshold" in arguments else {}
    if name == "adabound" and "learning_rate" in arguments:  # The bounds are relative to it.
        required["base_lr"] = 0.1
    if name in ("sgd", "rmsprop", "torch_sgd") and "nesterov" in arguments:
        required["momentum"] = 0.9
    return PUBLIC[name](**(required | exact | arguments))


def raises(error, message):
    """The error with exactly this message; under jit, JAX adds a note in further lines."""
    return pytest.raises(error, match=f"(?m)^{re.escape(message)}$")


def shown(value):
    """As it stands in a message: NumPy's numbers are Python's."""
    return repr(value.item() if isinstance(value, np.ndarray | np.generic) else value)


def bounds(argument):
    interval = EXCEPTIONS.get(argument, INTERVALS[argument[1]])
    return interval, *(float(bound) for bound in interval[1:-1].split(","))


def outside(argument):
    """What is just out of range, and what is no finite number at all."""
    interval, low, high = bounds(argument)
    below = [low if interval[0] == "(" else math.nextafter(low, -math.inf)]
    above = [high if interval[-1] == ")" else math.nextafter(high, math.inf)]
    values = [float(v) for v in (*below, *above, math.nan, math.inf, -math.inf)]
    return [*values, np.float32("nan"), np.asarray(values[0]), np.float64(values[0])]


def inside(argument):
    """Both ends of the range."""
    interval, low, high = bounds(argument)
    first = low if interval[0] == "[" else math.nextafter(max(low, -1e30), math.inf)
    last = high if interval[-1] == "]" else math.nextafter(min(high, 1e30), -math.inf)
    return first, last


def optional(name, argument):
    default = inspect.signature(PUBLIC[name]).parameters[argument].default
    always = ("schedule_free", "adabound", "adamod")  # Whose learning rate is part of the algorithm.
    rate = argument == "learning_rate" and default is inspect.Parameter.empty and name not in always
    return default is None or rate


by_name = {"ids": lambda value: value if isinstance(value, str) else None}
every_number = pytest.mark.parametrize(("name", "argument"), NUMBERS, **by_name)
never_rectifies = pytest.mark.filterwarnings("ignore:.*never rectifies:UserWarning")


def test_every_argument_is_checked_or_known_to_be_free():
    free = {
        *("updates", "gradients", "params", "state", "mask", "weight_decay_mask", "count"),
        *("rate", "inner", "link", "direction", "centre", "projection_fn", "codec"),
        # See test_signals.py.
        *("parts", "name", "upper", "lower", "clip_value_fn", "nus", "warmup_steps"),
        *("mesh", "axis", "specs"),
        *("full", "bits"),  # See test_params.py.
    }
    pairs = {(name, "betas") for name in PAIRS}
    known = {*NUMBERS, *FLAGS, *WORDS, *ARRAYS, *LINKS, *STEPS.items(), *SIZES, *pairs}
    unknown = [a for a in ARGUMENTS if a not in known and a[1] not in free and a[1] not in DTYPES]
    assert not unknown


def test_an_argument_without_a_domain_is_refused_at_the_first_call():
    def factory(b1: float):
        return b1

    with raises(
        TypeError, "`b1` must be annotated with one domain, Annotated[type, rule]; got <class 'float'>."
    ):
        validated(factory)(0.9)


@every_number
def test_numbers_out_of_range_are_refused(name, argument):
    interval, *_ = bounds((name, argument))
    for value in outside((name, argument)):
        condition = " with `variance`='exact'" if argument == "threshold" else ""
        with raises(ValueError, f"`{argument}` must be in {interval}{condition}; got {shown(value)}."):
            call(name, **{argument: value})


@every_number
def test_what_is_no_number_is_refused(name, argument):
    for value in (True, np.True_, np.asarray(True), "0.5", [0.5], 0.5j, np.asarray(0.5j), None):
        if value is None and optional(name, argument):
            call(name, **{argument: None})
            continue
        with raises(TypeError, f"`{argument}` must be a number; got {shown(value)}."):
            call(name, **{argument: value})


@pytest.mark.parametrize(("name", "argument"), [a for a in NUMBERS if a not in FACTORS], **by_name)
def test_arrays_are_no_scalars_even_when_traced(name, argument):
    message = f"`{argument}` must be a scalar; got an array of shape (3,)."
    for value in (np.full(3, 0.5), jnp.full(3, 0.5)):
        with raises(ValueError, message):
            call(name, **{argument: value})
    with raises(ValueError, message):
        jax.make_jaxpr(lambda x: (call(name, **{argument: x}), x)[1])(np.full(3, 0.5, "float32"))


@never_rectifies
@every_number
def test_numbers_of_any_kind_are_accepted(name, argument):
    first, last = inside((name, argument))
    values = [first, last, np.float64(last), np.asarray(first), jnp.asarray(first, "float32")]
    whole = [n for n in (0, 1, 5) if first <= n <= last]
    for value in [*values, *whole, *map(np.int64, whole), *map(np.float32, whole)]:
        call(name, **{argument: value})


@every_number
def test_traced_numbers_pass_unread(name, argument):
    jax.make_jaxpr(lambda x: (call(name, **{argument: x}), x)[1])(-7.0)


@pytest.mark.parametrize(
    ("name", "argument"), [a for a in NUMBERS if a[1] in SCHEDULABLE or a == ("adadelta", "rho")], **by_name
)
def test_schedules_are_accepted_where_the_docstring_says_so(name, argument):
    def schedule(count):
        return 0.5

    if (name, argument) in NOT_SCHEDULABLE or argument == "rho":
        with raises(TypeError, f"`{argument}` must be a number; got {schedule!r}."):
            call(name, **{argument: schedule})
    else:
        call(name, **{argument: schedule})


@pytest.mark.parametrize("name", [n for n, a in ARGUMENTS if a == "threshold"])
@pytest.mark.parametrize(
    ("variance", "low", "values"),
    [
        ("first_order", 4, [2.0, 3.0, 3.999]),
        ("first_order", 4, [0.0, 1.9, -math.inf, math.inf, math.nan]),
        ("exact", 2, [0.0, 1.9, -math.inf, math.inf, math.nan]),
    ],
)
def test_thresholds_below_what_the_variance_allows_are_refused(name, variance, low, values):
    """The rule is that of the variance which was asked for."""
    for value in values:
        with pytest.raises(ValueError, match=rf"^`threshold` must be in \[{low}, inf\).*; got {value}\.$"):
            call(name, threshold=value, variance=variance)
    call(name, threshold=low, variance=variance)


@pytest.mark.parametrize("name", ["radam", "radamw", "scale_by_radam", "scale_by_rectification"])
@pytest.mark.parametrize(
    ("b2", "length", "settings"),
    [
        (0.6, "4", {}),
        (2 / 3, "5", {}),
        (0.0, "1", {}),
        (0.6, "4", {"threshold": 4.0, "variance": "first_order"}),
        (0.3, "1.86", {"threshold": 2.0, "variance": "exact"}),
    ],
)
def test_a_b2_that_never_rectifies_warns_its_caller(name, b2, length, settings):
    threshold = settings.get("threshold", 5.0)
    message = f"`b2`={b2} never rectifies: rho_t stays below {length}, `threshold` is {threshold}."
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as caught:
        call(name, b2=b2, **settings)
    assert len(caught) == 1


def test_the_warning_points_to_the_line_that_caused_it():
    with pytest.warns(UserWarning, match="never rectifies") as caught:
        rx.scale_by_rectification(0.5)
    assert caught[0].filename == __file__


def test_a_b2_that_rectifies_late_does_not_warn():
    rx.radam(0.1, b2=0.67)
    rx.radam(0.1, b2=0.61, threshold=4.0)
    rx.radam(0.1, b2=jnp.float32(0.5))  # Unread.


@pytest.mark.parametrize(("name", "argument"), WORDS, **by_name)
@pytest.mark.parametrize("value", ["before", "", True, None, 3])
def test_words_that_are_no_option_are_refused(name, argument, value):
    options = ", ".join(map(repr, WORDS[name, argument]))
    with raises(ValueError, f"`{argument}` must be one of {options}; got {value!r}."):
        call(name, **{argument: value})
    for option in WORDS[name, argument]:
        call(name, **{argument: option})


every_step_count = pytest.mark.parametrize(("name", "argument"), STEPS.items())


@every_step_count
def test_steps_are_whole_numbers(name, argument):
    for value in (3.0, "3", True, None, math.nan):
        with raises(TypeError, f"`{argument}` must be a whole number; got {value!r}."):
            call(name, **{argument: value})
    for value in (-1, np.int64(-1), 2**31):
        with raises(ValueError, f"`{argument}` must be in [0, 2**31); got {value}."):
            call(name, **{argument: value})
    for value in (0, 2000, np.int32(3), jnp.asarray(3)):
        call(name, **{argument: value})
    jax.make_jaxpr(lambda n: (call(name, **{argument: n}), n)[1])(3)


@every_step_count
def test_steps_may_be_a_numpy_array_of_shape_0(name, argument):
    call(name, **{argument: np.asarray(3)})
    with pytest.raises(ValueError, match=rf"`{argument}` must be in .*; got -3\."):
        call(name, **{argument: np.asarray(-3)})


@every_step_count
@pytest.mark.parametrize("array", [np.ones(3, int), jnp.ones(3, int)], ids=["numpy", "jax"])
def test_steps_are_a_scalar(name, argument, array):
    with pytest.raises((TypeError, ValueError), match=rf"`{argument}` must be a .*\(3,\)"):
        call(name, **{argument: array})


@pytest.mark.parametrize(("name", "argument"), SIZES, **by_name)
def test_sizes_are_whole_numbers_that_are_never_traced(name, argument):
    least, most = SIZES[name, argument]
    for value in (3.0, "3", True, None, math.nan, jnp.asarray(3), np.asarray(3)):
        with raises(TypeError, f"`{argument}` must be a whole number; got {value!r}."):
            call(name, **{argument: value})
    rule = f"at least {least}" if most is None else f"in [{least}, {most}]"
    for value in (least - 1, np.int64(-64), -(2**40), *([] if most is None else [most + 1])):
        with raises(ValueError, f"`{argument}` must be {rule}; got {value}."):
            call(name, **{argument: value})
    for value in (least, 100, np.int32(64)):
        call(name, **{argument: value})


def test_what_is_no_codec_is_refused():
    for value in ("int8", None, 3, rx.codecs.int8_blockwise, type(rx.codecs.int8_blockwise()), object()):
        message = f"`codec` must be a codec, such as `codecs.int8_blockwise()`; got {value!r}."
        with raises(TypeError, message):
            rx.compress_state(rx.first_moment(0.9), value)
    unhashable = types.SimpleNamespace(encode=None, decode=None)
    with raises(TypeError, f"`codec` must be hashable; got {unhashable!r}."):
        rx.compress_state(rx.first_moment(0.9), unhashable)


@pytest.mark.parametrize("value", [0.5, {"a": True}, "kernel", True])
def test_a_mask_of_arrays_that_is_no_function_is_refused(value):
    with raises(TypeError, f"`mask` must be a function; got {value!r}."):
        call("compress_state", mask=value)


@pytest.mark.parametrize("name", PAIRS)
def test_betas_are_a_pair_of_decays(name):
    for value in (0.9, None, (0.9,), (0.9, 0.99, 0.999), "ab", {0.9, 0.99}):
        with raises(TypeError, f"`betas` must be a pair; got {value!r}."):
            call(name, betas=value)
    for value, index, message in (
        ((1.0, 0.9), 0, "must be in [0, 1); got 1.0."),
        ((0.9, -0.1), 1, "must be in [0, 1); got -0.1."),
    ):
        with raises(ValueError, f"`betas[{index}]` {message}"):
            call(name, betas=value)
    with raises(TypeError, "`betas[1]` must be a number; got '0.9'."):
        call(name, betas=(0.9, "0.9"))
    call(name, betas=[np.float32(0.9), jnp.asarray(0.99)])


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9, "dampening": 0.1}], ids=str)
def test_nesterov_without_momentum_or_with_dampening_is_refused_as_in_pytorch(settings):
    momentum, dampening = settings.get("momentum", 0.0), settings.get("dampening", 0.0)
    message = "`nesterov` needs a `momentum` and no `dampening`; got {!r} and {!r}."
    with raises(ValueError, message.format(momentum, dampening)):
        rx.presets.torch_sgd(nesterov=True, **settings)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (rx.sgd, {"nesterov": True}, "`nesterov` needs a `momentum`; it is None."),
        (rx.rmsprop, {"nesterov": True}, "`nesterov` needs a `momentum`; it is None."),
        (
            rx.amsgrad,
            {"bias_correction": "after_max", "bias_correction_nu": False},
            "`bias_correction`='after_max' needs `bias_correction_nu`; it is False.",
        ),
        (
            rx.adopt,
            {"clip_value_fn": 1.0, "use_clipping": False},
            "`clip_value_fn` needs `use_clipping`; it is False.",
        ),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(function, arguments, message):
    with raises(ValueError, message):
        function(0.1, **arguments)


# Of what may be complex.
OF_SIGNALS = ("first_moment", "nesterov_moment", "delay", "difference")
DTYPE_ARGUMENTS = [a for a in ARGUMENTS if a[1] in DTYPES]
REAL = {
    *("nu_dtype", "update_dtype"),
    *(a for a in DTYPE_ARGUMENTS if a[1] == "dtype" and a[0] not in OF_SIGNALS),
}


@pytest.mark.parametrize(("name", "argument"), DTYPE_ARGUMENTS, **by_name)
def test_integer_dtypes_are_refused(name, argument):
    for value, kind in {"int8": "int8", bool: "bool", jnp.uint32: "uint32"}.items():
        words = "real floating" if argument in REAL or (name, argument) in REAL else "floating or complex"
        with raises(ValueError, f"`{argument}` must be a {words} dtype; got {kind}."):
            call(name, **{argument: value})
    for value in (None, "bfloat16", jnp.float16, np.dtype("float32"), float):
        call(name, **{argument: value})


@pytest.mark.parametrize(("name", "argument"), DTYPE_ARGUMENTS, **by_name)
def test_what_is_no_dtype_is_refused(name, argument):
    for value in ("float31", ",", 3):
        with pytest.raises((TypeError, ValueError), match=f"`{argument}` must be a .* dtype; got {value!r}"):
            call(name, **{argument: value})
    with pytest.raises(
        ValueError, match=rf"^`{argument}` must be a .* dtype; got {np.dtype(np.longdouble)}\.$"
    ):
        call(name, **{argument: np.longdouble})


@pytest.mark.parametrize(
    ("name", "argument"),
    [a for a in DTYPE_ARGUMENTS if a[1] == "nu_dtype" or (a[1] == "dtype" and a[0] not in OF_SIGNALS)],
    **by_name,
)
def test_statistics_of_squares_take_no_complex_dtype(name, argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be a .*floating.* dtype; got complex64"):
        call(name, **{argument: "complex64"})


@pytest.mark.parametrize(("name", "argument"), FLAGS, **by_name)
def test_flags_may_be_numpy_booleans(name, argument):
    for value in (np.True_, np.False_):
        call(name, **{argument: value})


@pytest.mark.parametrize(("name", "argument"), FLAGS, **by_name)
def test_flags_are_true_or_false(name, argument):
    for value in (0, 1, np.True_, np.asarray(False), jnp.asarray([True])):
        assert str(call(name, **{argument: value})) == str(call(name, **{argument: bool(value)}))
    for value in ("yes", 2, 0.0, None):
        with raises(TypeError, f"`{argument}` must be True or False; got {value!r}."):
            call(name, **{argument: value})


@pytest.mark.parametrize(
    ("factory", "argument"),
    [
        (rx.scale_by_adaptive_rate, "rate"),
        (lambda momentum: rx.scale_by_adaptive_rate(rate=rx.inverse_root(), momentum=momentum), "momentum"),
        (lambda inner: rx.freeze_until(inner, 2), "inner"),
        (lambda inner: rx.compress_state(inner, rx.codecs.int8_blockwise()), "inner"),
        (lambda inner: rx.sharding.shard_state(inner, MESH, "x"), "inner"),
        (rx.sharding.offload_state, "inner"),
        (lambda centre: rx.belief_moment(0.999, centre=centre), "centre"),
    ],
)
def test_a_link_that_was_not_built_is_refused(factory, argument):
    message = f"`{argument}` must be a GradientTransformation; got {rx.inverse_root!r}."
    with raises(TypeError, message):
        factory(**{argument: rx.inverse_root})


MIXED = Mesh(np.reshape(jax.devices()[:4], (2, 2)), ("x", "y"), axis_types=(AxisType.Auto, AxisType.Explicit))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mesh": "x"}, TypeError, "`mesh` must be a Mesh; got 'x'."),
        (
            {"mesh": MIXED},
            ValueError,
            "`mesh` must have axes of one type, Auto or Explicit; got (Auto, Explicit).",
        ),
        ({"axis": "z"}, ValueError, "`axis` must be an axis of the mesh, 'x' or 'y'; got 'z'."),
        ({"axis": 0}, ValueError, "`axis` must be an axis of the mesh, 'x' or 'y'; got 0."),
        ({"specs": "y"}, TypeError, "`specs` must be a PartitionSpec; got 'y'."),
        ({"specs": {"w": ["y"]}}, TypeError, "`specs`['w'][0] must be a PartitionSpec; got 'y'."),
        ({"specs": P("z")}, ValueError, f"`specs` must name axes of the mesh, 'x' or 'y'; got {P('z')}."),
        (
            {"specs": [P(("y", "x"))]},
            ValueError,
            f"`specs`[0] must leave `axis`='x' free; got {P(('y', 'x'))}.",
        ),
    ],
)
def test_a_state_is_sharded_over_an_axis_that_is_there_and_free(arguments, error, message):
    with raises(error, message):
        call("shard_state", **arguments)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ({"w": P()}, "have a PartitionSpec for each leaf; got none for 'b'."),
        ({"w": P("y"), "b": None}, "have a PartitionSpec for each leaf; got none for 'b'."),
        (
            P("y"),
            f"divide each leaf evenly over the mesh, {{'x': 2, 'y': 2}}; got {P('y')} for 'b' of shape (3,).",
        ),
        (
            P(None, "y"),
            "divide each leaf evenly over the mesh, {'x': 2, 'y': 2}; "
            f"got {P(None, 'y')} for 'b' of shape (3,).",
        ),
    ],
)
def test_specs_are_those_of_the_parameters(specs, message):
    tx, params = (
        call("shard_state", specs=specs),
        {"b": np.ones(3, "float32"), "w": np.ones((2, 2), "float32")},
    )
    for function in (tx.init, jax.jit(tx.init)):
        with raises(ValueError, f"`specs` must {message}"):
            function(params)


def test_a_schedule_that_returns_no_scalar_is_refused():
    tx = rx.adam(0.1, lambda _: jnp.full(3, 0.9))
    with raises(ValueError, "A schedule must return a scalar; got an array of shape (3,)."):
        tx.update(PARAMS, tx.init(PARAMS))


@pytest.mark.parametrize(("name", "argument"), sorted(ARRAYS - {("adaptive_rate_variance", "rho")}))
def test_numeric_functions_check_python_and_numpy_numbers(name, argument):
    for value in (1.0, -1e-9, math.nan, 5, np.float64(1.0)):
        with raises(ValueError, f"`{argument}` must be in [0, 1); got {shown(value)}."):
            call(name, **{argument: value})
    with raises(TypeError, f"`{argument}` must be a number; got True."):
        call(name, **{argument: True})
    call(name, **{argument: np.asarray([0.9, 0.99]), "count": np.asarray([1, 2])})


@pytest.mark.parametrize(("name", "argument"), sorted(ARRAYS - {("adaptive_rate_variance", "rho")}))
@pytest.mark.parametrize("value", [np.float32(1.5), "0.9", None, [0.9], math.sin], ids=repr)
def test_numeric_functions_check_numbers_of_every_kind(name, argument, value):
    # A function is a schedule, of which an integer is the argument.
    refused = "Abstract tracer value" if (name, value) == ("rectification", math.sin) else None
    with pytest.raises((TypeError, ValueError), match=refused or f"^`{argument}` must be .*; got "):
        call(name, **{argument: value})


@pytest.mark.parametrize(
    "rho", [5.0, np.float32(1e6), np.asarray([3.0, 5.0]), jnp.asarray([3.0, 5.0])], ids=repr
)
def test_any_rho_has_a_variance(rho):
    assert rx.adaptive_rate_variance(rho).shape == np.shape(rho)


PRESETS_HAVE = "The functions of radam_optax.presets have the arguments of PyTorch and Keras."


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (rx.adam, {"lr": 0.1}, f"adam() has no argument `lr`: did you mean `learning_rate`? {PRESETS_HAVE}"),
        (
            rx.adam,
            {"betas": 1},
            f"adam() has no argument `betas`: did you mean `b1` and `b2`? {PRESETS_HAVE}",
        ),
        (rx.adamax, {"beta1": 1}, f"adamax() has no argument `beta1`: did you mean `b1`? {PRESETS_HAVE}"),
        (
            rx.rmsprop,
            {"alpha": 1},
            f"rmsprop() has no argument `alpha`: did you mean `decay`? {PRESETS_HAVE}",
        ),
        (
            rx.adam,
            {"amsgrad": True},
            f"adam() has no argument `amsgrad`; there is the function `amsgrad`. {PRESETS_HAVE}",
        ),
        (
            rx.radam,
            {"weight_decay": 0},
            f"radam() has no argument `weight_decay`; there is the function `radamw`. {PRESETS_HAVE}",
        ),
        (
            rx.sgd,
            {"weight_decay": 0},
            "sgd() has no argument `weight_decay`; there is the function `add_decayed_weights`. "
            f"{PRESETS_HAVE}",
        ),
        (
            rx.sgd,
            {"maximize": True},
            "sgd() has no argument `maximize`; it has `learning_rate`, `momentum`, `nesterov` and "
            f"`accumulator_dtype`. {PRESETS_HAVE}",
        ),
        (rx.adam, {"esp": 0.1}, "adam() has no argument `esp`: did you mean `eps`?"),
        (rx.presets.torch_adam, {"b2": 0.9}, "torch_adam() has no argument `b2`: did you mean `betas`?"),
        (rx.presets.keras_adam, {"beta1": 1}, "keras_adam() has no argument `beta1`: did you mean `beta_1`?"),
        (
            rx.codecs.int8_blockwise,
            {"blocksize": 3},
            "int8_blockwise() has no argument `blocksize`: did you mean `block_size`?",
        ),
        (rx.signal, {"steps": 1}, "signal() has no argument `steps`; it has `name`."),
    ],
)
def test_an_argument_that_is_not_there_is_met_with_what_was_meant(function, arguments, message):
    with raises(TypeError, message):
        function(**arguments)


@pytest.mark.parametrize(
    ("function", "in_order", "named", "message"),
    [
        (rx.adam, (), {}, "adam() needs `learning_rate`."),
        (rx.sharding.shard_state, (), {"mesh": MESH}, "shard_state() needs `inner` and `axis`."),
        (rx.adam, (0.1,), {"learning_rate": 0.1}, "adam() got `learning_rate` by position and by name."),
        (rx.sgd, (0.1,) * 5, {}, "sgd() takes 4 arguments by position; got 5."),
        (
            rx.scale_by_adaptive_rate,
            (rx.first_moment(0.9), rx.inverse_root()),
            {},
            "scale_by_adaptive_rate() takes 0 arguments by position; got 2. Give `rate` and `momentum` by "
            "name.",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(function, in_order, named, message):
    with raises(TypeError, message):
        function(*in_order, **named)


@pytest.mark.parametrize(
    "name", [n for n in PUBLIC if next(iter(inspect.signature(PUBLIC[n]).parameters), "") == "learning_rate"]
)
def test_every_optimizer_names_an_argument_that_does_not_fit(name):
    with pytest.raises(TypeError, match=rf"^{name}\(\) has no argument `beta1`"):
        PUBLIC[name](0.1, beta1=0.9)
    if inspect.signature(PUBLIC[name]).parameters["learning_rate"].default is inspect.Parameter.empty:
        with raises(TypeError, f"{name}() needs `learning_rate`."):
            PUBLIC[name]()
    with raises(ValueError, "`learning_rate` must be in [0, inf); got -1."):
        PUBLIC[name](-1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"w": np.ones((100, 100))}, "dict of 1"),
        (np.ones((2, 300)), "ndarray of shape (2, 300)"),
        (types.SimpleNamespace(x="x" * 200), "SimpleNamespace"),
        ({"w": 1}, "{'w': 1}"),
    ],
    ids=["tree", "array", "object", "short"],
)
def test_a_large_value_is_not_printed(value, message):
    """The parameters of a model, say, where PyTorch's optimizers have them."""
    with raises(TypeError, f"`nesterov` must be True or False; got {message}."):
        rx.adam(0.1, nesterov=value)


@pytest.mark.parametrize("name", ["adamw", "rmsprop_nesterov", "radamw", "adadelta"])
@pytest.mark.parametrize("kind", [np.float32, np.asarray, jnp.asarray])
def test_numbers_of_every_kind_give_the_same_updates(name, kind):
    arguments = {
        a: float(np.float32(p.default))
        for a, p in inspect.signature(PUBLIC[name]).parameters.items()
        if isinstance(p.default, float)
    }
    params = {"w": jnp.ones(3)}

    def updates(**arguments):
        tx = PUBLIC[name](**{"learning_rate": 0.5, **arguments})
        return tx.update({"w": jnp.asarray([1.0, -2.0, 0.5])}, tx.init(params), params)[0]["w"]

    same = updates(**{a: kind(np.float32(v)) for a, v in arguments.items()})
    np.testing.assert_allclose(same, updates(**arguments), rtol=1e-6)


# Trees.

PARAMS = {"a": jnp.ones(3), "b": {"c": jnp.ones((2, 2))}}
every_recipe_with_state = pytest.mark.parametrize("name", [n for n in RECIPES if n != "sgd"])


def of_a_tree(message):
    """The message is raised; a recipe's first link decides with which of the trees updates are compared."""
    names = "the optimizer's state|the parameters|another tree given with them"
    return pytest.raises(ValueError, match=f"(?m)^{re.escape(message).replace('TREE', f'(?:{names})')}$")


def structure(path, ours, theirs):
    return of_a_tree(
        f"The updates do not have the structure of TREE: at {path!r} they have {ours}, and not {theirs}."
    )


def update(name, gradients):
    """One step, not run: errors of trees come while tracing."""
    tx = build(name)
    return jax.eval_shape(lambda g: tx.update(g, tx.init(PARAMS), PARAMS), gradients)


NO_UPDATE = (
    "Give None for its gradient, or leave it out of the optimizer with optax.masked or optax.partition."
)


@every_recipe
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_a_gradient_of_an_integer_parameter_is_refused(name, dtype):
    tx, params = build(name), {"a": jnp.ones(3), "b": {"c": jnp.ones(2, dtype)}}
    state = tx.init(params)
    assert all(np.shape(x) != (2,) for x in jax.tree.leaves(state))
    with pytest.raises(TypeError, match=f"(?m)^Leaf 'b/c'.*{re.escape(NO_UPDATE)}$"):
        jax.eval_shape(tx.update, {"a": jnp.ones(3), "b": {"c": jnp.ones(2)}}, state, params)


@every_recipe
def test_a_parameter_that_is_no_array_is_refused(name):
    if name == "projected_amsgrad":
        pytest.skip("Its projection looks at all parameters.")
    with raises(
        TypeError,
        f"Parameter 'b/f' must be an array; got {jax.nn.relu!r}. Leave it out of what is trained, by "
        "eqx.filter(params, eqx.is_array), say, or by optax.masked or optax.partition.",
    ):
        build(name).init({"a": jnp.ones(3), "b": {"f": jax.nn.relu}})


@pytest.mark.parametrize("name", ["sgd", "radamw", "amsgrad"])
@pytest.mark.parametrize("way", ["masked", "partition"])
def test_the_advice_about_integer_parameters_works(name, way):
    params = {"n": jnp.arange(2), "w": jnp.ones(3)}
    tx = {
        "masked": lambda tx: optax.masked(tx, {"n": False, "w": True}),
        "partition": lambda tx: optax.partition(
            {"train": tx, "freeze": optax.set_to_zero()}, {"n": "freeze", "w": "train"}
        ),
    }[way](build(name))
    updates, _ = tx.update(params, tx.init(params), params)
    assert (np.asarray(updates["w"]) < 0).all()
    assert updates["n"].dtype == params["n"].dtype


@every_recipe
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_integer_gradients_are_refused(name, dtype):
    with raises(
        TypeError,
        f"Leaf 'b/c': updates and states must be floating or complex; got dtype {dtype}. {NO_UPDATE}",
    ):
        update(name, {"a": jnp.ones(3), "b": {"c": jnp.ones((2, 2), dtype)}})


@every_recipe_with_state
def test_a_gradient_tree_of_another_structure_is_refused(name):
    with structure("b/c", "no leaf", "an array of shape (2, 2)"):
        update(name, {"a": jnp.ones(3), "b": {}})
    with structure("b/z", "an array of shape (7,)", "no leaf"):
        update(name, {"a": jnp.ones(3), "b": {"c": jnp.ones((2, 2)), "z": jnp.ones(7)}})


@every_recipe_with_state
@pytest.mark.parametrize("shape", [(), (1, 2)])
def test_a_gradient_of_another_shape_is_refused(name, shape):
    """Even where it would broadcast."""
    with of_a_tree(f"Leaf 'b/c' of the updates has shape {shape}, and not that of TREE, (2, 2)."):
        update(name, {"a": jnp.ones(3), "b": {"c": jnp.ones(shape)}})


@pytest.mark.parametrize(
    ("params", "gradients"),
    [((1.0, 2.0), [1.0, 2.0]), ({"a": 1.0}, {"a": 1.0, "b": {}}), ([], ())],
    ids=["list for tuple", "empty subtree", "both empty"],
)
def test_a_structure_with_equal_leaves_is_told_apart(params, gradients):
    """The message does not say of one and the same path that neither tree has a leaf there."""
    with pytest.raises(ValueError, match="The updates do not have the structure") as caught:
        rx.adam(0.1).update(gradients, rx.adam(0.1).init(params))
    assert "have no leaf, and not no leaf" not in str(caught.value)


@every_recipe
def test_no_gradient_is_no_update_and_no_change_of_state(name):
    """A leaf that is None passes; all else goes on."""
    tx, gradients = build(name), {"a": jnp.full(3, 0.5), "b": {"c": jnp.full((2, 2), 0.5)}}
    step = jax.jit(tx.update)
    _, before = step(gradients, tx.init(PARAMS), PARAMS)
    updates, after = step(gradients | {"a": None}, before, PARAMS)
    assert updates["a"] is None
    both, _ = step(gradients, before, PARAMS)
    np.testing.assert_allclose(updates["b"]["c"], both["b"]["c"], rtol=1e-6)
    old, new = (
        [x for path, x in jax.tree_util.tree_leaves_with_path(s) if "'a'" in jax.tree_util.keystr(path)]
        for s in (before, after)
    )
    jax.tree.map(np.testing.assert_array_equal, old, new)
    assert len(old) > 0 or name == "sgd"


@every_recipe_with_state
def test_a_gradient_where_the_parameter_is_none_is_refused(name):
    tx = build(name)
    params = {"a": None, "b": jnp.ones(2)}
    state = tx.init(params)
    with raises(
        TypeError,
        "Leaf 'a' has an update, but the optimizer's state, or another tree given with the updates, has "
        f"nothing there, as for what is no floating array. {NO_UPDATE}",
    ):
        tx.update({"a": jnp.ones(3), "b": jnp.ones(2)}, state, params)


@pytest.mark.parametrize("promotion", ["strict", "standard"])
@pytest.mark.parametrize("name", ["momentum", "adam", "amsgrad", "radam", "adabelief", "rmsprop_nesterov"])
def test_a_complex_gradient_of_a_real_parameter_is_refused(name, promotion):
    with (
        jax.numpy_dtype_promotion(promotion),
        raises(TypeError, "Leaf 'b/c': a complex value does not fit into dtype float32."),
    ):
        update(name, {"a": jnp.ones(3), "b": {"c": jnp.ones((2, 2), "complex64")}})


@pytest.mark.parametrize("promotion", ["strict", "standard"])
@pytest.mark.parametrize(
    "tx",
    [rx.adam(0.1, mu_dtype="float32"), rx.momentum(0.1, accumulator_dtype="bfloat16")],
    ids=["mu", "trace"],
)
def test_a_real_state_of_complex_parameters_is_refused(tx, promotion):
    params = {"w": jnp.ones(3, "complex64")}
    with (
        jax.numpy_dtype_promotion(promotion),
        pytest.raises(TypeError, match=r"^Leaf 'w': a complex value does not fit into dtype b?float\d\d\.$"),
    ):
        tx.update(params, tx.init(params))


@pytest.mark.parametrize(
    "tx",
    [
        rx.adamw(0.1),
        rx.radamw(0.1),
        rx.adadelta(weight_decay=0.1),
        rx.adamw(0.1, weight_decay=lambda count: 0.0),
        rx.adamw(0.1, weight_decay=jnp.asarray(0.0)),
        rx.radamw(0.1, mask={"a": True, "b": False}),
    ],
)
def test_weight_decay_without_parameters_is_refused(tx):
    with raises(ValueError, "Weight decay needs `params`: call `update(updates, state, params)`."):
        tx.update(PARAMS, tx.init(PARAMS))


@pytest.mark.parametrize("tx", [rx.radamw(0.1, weight_decay=0), rx.adadelta(), rx.radam(0.1)])
def test_no_weight_decay_needs_no_parameters(tx):
    tx.update(PARAMS, tx.init(PARAMS))


@pytest.mark.parametrize("value", [None, 1.0, (-1.0, 1.0)])
def test_a_projection_that_is_no_function_is_refused(value):
    with raises(TypeError, f"`projection_fn` must be a function; got {value!r}."):
        rx.project(value)


# A link's words, a recipe's, and those of optax's own chain.
STATES = r"^The state must be a `\w+`; got|^`state` must be what this|^The number of updates and states"


@pytest.mark.parametrize("name", [n for n in RECIPES if n not in ("sgd", "torch_adamw")])
def test_the_state_of_another_optimizer_is_refused_by_name(name):
    """Rather than by an attribute that is missing; and so is what is no state, as with arguments swapped."""
    tx = build(name)
    for wrong in (rx.sgd(lambda count: 0.1).init(PARAMS), PARAMS):
        with pytest.raises((TypeError, ValueError), match=STATES):
            tx.update(PARAMS, wrong, PARAMS)


@pytest.mark.parametrize("count", [2.5, jnp.ones(1, int), np.asarray(True)], ids=repr)
def test_a_count_that_is_no_integer_scalar_is_refused(count):
    tx = rx.first_moment(0.9)
    with raises(
        TypeError, f"`count` in the state `FirstMomentState` must be of shape () and integer; got {count!r}."
    ):
        tx.update(PARAMS, tx.init(PARAMS)._replace(clock=rx.Clock(count)))


def test_a_state_of_a_scheduled_decay_is_not_that_of_a_constant_one():
    constant, scheduled = rx.second_moment(0.9), rx.second_moment(lambda count: 0.9)
    with raises(ValueError, "The state is of a scheduled decay, but the decay is constant."):
        constant.update(PARAMS, scheduled.init(PARAMS))
    with raises(ValueError, "The state is of a constant decay, but the decay is scheduled."):
        scheduled.update(PARAMS, constant.init(PARAMS))


@pytest.mark.parametrize("value", [None, "0.1", object()], ids=["None", "text", "object"])
def test_a_schedule_that_returns_no_number_is_refused(value):
    tx = rx.sgd(lambda count: value)
    with raises(TypeError, f"A schedule must return a number; got {value!r}."):
        tx.update(PARAMS, tx.init(PARAMS))


def test_a_projection_without_parameters_is_refused():
    tx = rx.project(lambda p: p)
    with raises(ValueError, "`project` needs `params`: call `update(updates, state, params)`."):
        tx.update(PARAMS, tx.init(PARAMS))


@pytest.mark.parametrize("name", ["sgd", "adam", "radamw", "lion"])
def test_parameters_that_do_not_match_the_updates_are_refused(name):
    """Also where nothing but their dtype is looked at."""
    tx = build(name)
    other = {"a": jnp.ones(4), "b": PARAMS["b"]}
    with raises(
        ValueError,
        "Leaf 'a' of the updates has shape (3,), and not that of the parameters, (4,).",
    ):
        tx.update(PARAMS, tx.init(PARAMS), other)


@every_recipe
def test_no_gradients_are_refused(name):
    """A tree of gradients may lack leaves, but one that is None as a whole would train nothing in silence."""
    tx = build(name)
    with raises(TypeError, "`updates` is None: nothing would be trained. Give `update` the gradients."):
        tx.update(None, tx.init(PARAMS), PARAMS)


def test_no_gradients_of_no_parameters_are_an_empty_tree():
    tx = rx.adam(0.1)
    assert tx.update(None, tx.init(None), None)[0] is None


def test_the_state_of_a_chain_is_said_to_be_a_tuple():
    message = (
        "`state` must be what this optimizer's `init` returned, a tuple of 3; got {}. The order is "
        "`update(updates, state, params)`."
    )
    tx = rx.radamw(0.1)
    for wrong, shown in (
        (PARAMS, "dict of 2"),
        (None, "NoneType"),
        (rx.adam(0.1).init(PARAMS), "tuple of 2"),
    ):
        with raises(TypeError, message.format(shown)):
            tx.update(PARAMS, wrong, PARAMS)


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        (PARAMS, "dict. The order is `update(updates, state, params)`."),
        (None, "NoneType. The order is `update(updates, state, params)`."),
        (rx.second_moment(0.9).init(PARAMS), "SecondMomentState. It is of another optimizer."),
    ],
)
def test_what_is_no_state_is_told_from_the_state_of_another_optimizer(wrong, shown):
    tx = rx.first_moment(0.9)
    with raises(TypeError, f"The state must be a `FirstMomentState`; got {shown}"):
        tx.update(PARAMS, wrong, PARAMS)


MASK = "`mask` must have the structure of the parameters, with True or False for each leaf or branch; "


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ("kernel", TypeError, "`mask` must be True or False; got 'kernel'."),
        (["a"], TypeError, "`mask['0']` must be True or False; got 'a'."),
        ({"a": True, "b": "no"}, TypeError, "`mask['b']` must be True or False; got 'no'."),
        (lambda params: "kernel", TypeError, "`mask` must be True or False; got 'kernel'."),
        ({"a": True}, ValueError, f"{MASK}it has nothing for 'b/c'."),
        (lambda params: {"a": True}, ValueError, f"{MASK}it has nothing for 'b/c'."),
        ({"a": True, "b": {"c": True}, "d": False}, ValueError, f"{MASK}it has 'd', which is no parameter."),
    ],
)
def test_a_mask_that_is_no_tree_of_flags_like_the_parameters_is_refused(mask, error, message):
    """A word is a leaf that counts as true: everything would decay."""
    with raises(error, message):
        rx.adamw(0.1, mask=mask).init(PARAMS)


def test_masks_may_be_prefixes_and_modules_that_can_be_called():
    class Module(eqx.Module):
        a: object
        b: object

        def __call__(self, x):
            return x

    params = Module(jnp.ones(3), {"c": jnp.ones(2)})
    zeros = jax.tree.map(jnp.zeros_like, params)
    for mask in (
        Module(True, False),
        lambda p: Module(True, False),
        Module(np.True_, {"c": jnp.asarray(False)}),
    ):
        tx = rx.adamw(0.5, weight_decay=1.0, mask=mask)
        updates, _ = tx.update(zeros, tx.init(params), params)
        chex.assert_trees_all_equal(updates, Module(-0.5 * params.a, zeros.b))


def test_a_projection_that_changes_the_shape_is_refused():
    tx = rx.project(lambda p: {"w": p["w"][:2]})
    params = {"w": jnp.ones(3)}
    with raises(
        ValueError,
        "`projection_fn` must return a tree like its argument. Leaf 'w' of the updates has shape (3,), and "
        "not that of another tree given with them, (2,).",
    ):
        tx.update(params, tx.init(params), params)


def test_a_belief_without_a_momentum_is_refused():
    tx = rx.belief_moment(0.999)
    with raises(
        ValueError,
        "`belief_moment` needs `momentum`: use it in the rate of `scale_by_adaptive_rate`, or give it a "
        "`centre`.",
    ):
        tx.update(PARAMS, tx.init(PARAMS))
    tx.update(PARAMS, tx.init(PARAMS), momentum=PARAMS)
    tx = rx.belief_moment(0.999, centre=rx.first_moment(0.9))
    tx.update(PARAMS, tx.init(PARAMS))


def test_a_lookahead_that_is_not_there_is_refused():
    with raises(ValueError, "`state` must hold one `TraceState`; it holds 0."):
        rx.without_lookahead(PARAMS, rx.adam(0.1).init(PARAMS), 0.9)


def test_a_lookahead_that_is_there_twice_is_refused():
    state = [rx.rmsprop_nesterov(0.1).init(PARAMS)] * 2
    with raises(ValueError, "`state` must hold one `TraceState`; it holds 2."):
        rx.without_lookahead(PARAMS, state, 0.9)


def test_a_parameter_may_be_called_like_a_field_of_the_state():
    params = {"trace": jnp.ones(3), "count": jnp.ones(3)}
    tx = rx.rmsprop_nesterov(0.1)
    updates, state = tx.update(params, tx.init(params))
    theta = rx.without_lookahead(optax.apply_updates(params, updates), state, 0.9)
    assert jax.tree.structure(theta) == jax.tree.structure(params)


def test_rectifications_that_are_not_there_or_there_twice_are_refused():
    states = [rx.radam(0.1).init(PARAMS)] * 2
    message = "`state` must hold one `RectificationState`; it holds {}."
    with raises(ValueError, message.format(0)):
        rx.rectification_stats(rx.adam(0.1).init(PARAMS))
    with raises(ValueError, message.format(2)):
        rx.rectification_stats(states)
    assert rx.rectification_stats(states[1])["count"] == 0


@pytest.mark.parametrize("tx", [rx.sgd(0.1), rx.momentum(0.1), rx.adagrad(0.1), optax.identity()])
def test_a_state_without_a_count_is_refused(tx):
    with raises(ValueError, "`state` holds no `count`: none of its links counts its updates."):
        rx.step_count(tx.init(PARAMS))


@pytest.mark.parametrize("gradients", [{"v": jnp.ones(3)}, {"w": jnp.ones(4)}], ids=["path", "shape"])
def test_an_effective_rate_of_trees_that_do_not_match_is_refused(gradients):
    with pytest.raises(ValueError, match=r"'[vw]'"):
        rx.effective_rate({"w": jnp.ones(3)}, gradients)


@pytest.mark.parametrize("name", ["momentum", "adam", "amsgrad", "radamw", "adabelief", "rmsprop"])
def test_nothing_is_lost_after_an_error(name):
    """Eager or jitted: the state still works, and the next step is that of a run without the error."""
    tx = build(name)
    for step in (tx.update, jax.jit(tx.update)):
        _, state = step(PARAMS, tx.init(PARAMS), PARAMS)
        kept = jax.tree.map(np.array, state)
        expected = step(PARAMS, state, PARAMS)
        for bad in ({"a": jnp.ones(3)}, PARAMS | {"a": jnp.ones(4)}, PARAMS | {"a": jnp.ones(3, int)}):
            with pytest.raises((ValueError, TypeError)):
                step(bad, state, PARAMS)
        jax.tree.map(np.testing.assert_array_equal, state, kept)
        jax.tree.map(np.testing.assert_array_equal, step(PARAMS, state, PARAMS), expected)
