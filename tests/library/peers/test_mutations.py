"""The comparisons of test_parity and test_successors can fail: every line, changed in one place, is noticed.

The source of the presets and of the successors is changed as a careless hand would: two links swapped, a
link, a part of a mixture or a delay left out, a weight w taken for 1 - w, a power or a sign turned round, a
bias correction switched, a constant moved.
"""

import ast
import pathlib
import types
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import radam_optax as rx
from radam_optax import _successors, presets
from tests.support.parity import NOISE, build, distance, follow

# The files of the presets, of which what they share comes first, and that of the successors.
FILES = [
    *sorted(
        pathlib.Path(presets.__file__).parent.glob("_[a-z]*.py"),
        key=lambda file: (file.stem != "_parts", file),
    ),
    pathlib.Path(_successors.__file__),
]
STEPS = 320  # To just behind the first spike.


def falling(count):
    return 1e-3 / (1 + jnp.asarray(count, float))


def rising(count):
    return 1e-3 * jnp.asarray(count, float)


def warming_up(count):
    return 0.9 - 0.4 / (1 + jnp.asarray(count, float))


COARSE = {"learning_rate": 1e-3, "b2": 0.99, "eps": 1e-3}
DECAYING = COARSE | {"weight_decay": 0.1}
SUCCESSORS = {
    "laprop": [DECAYING],
    "adopt": [COARSE | {"eps": 1.0}, COARSE | {"nesterov": True}, COARSE | {"use_clipping": False}],
    "adoptw": [DECAYING, DECAYING | {"b2": 0.9999, "eps": 1e-6}],
    "acprop": [DECAYING | {"eps_root": 1e-4}],
    "ademamix": [DECAYING | {"b3": 0.98, "eps_root": 1e-4}],
    "adan": [
        {"learning_rate": 1e-3, "b1": 0.9, "b2": 0.7, "eps": 1e-3, "eps_root": 1e-4, "weight_decay": 0.1}
    ],
    "lion": [{"learning_rate": 1e-3, "weight_decay": 0.1}, {"learning_rate": 1e-3, "b1": warming_up}],
    "scale_by_lion": [{"mode": "smooth", "smooth_beta": 0.5}, {"mode": "refined"}],
    "adam_atan2": [{"learning_rate": 1e-3, "b": 2.0, "weight_decay": 0.1}],
    "padam": [DECAYING | {"amsgrad": flag} for flag in (False, True)],
    "adabound": [
        *(COARSE | {"gamma": 0.1, "amsbound": flag} for flag in (False, True)),
        {"learning_rate": rising, "base_lr": 1e-3, "gamma": 0.1},
        {"learning_rate": falling, "gamma": 0.1},
        *({"learning_rate": rate} for rate in (0.0, 1.0)),
    ],
    "adamod": [COARSE | {"learning_rate": falling, "b3": 0.98}],
    "qhadam": [DECAYING | {"nus": (0.7, 0.8)}],
    "stable_adamw": [DECAYING],
    "schedule_free_sgd": [
        {"learning_rate": 1e-2, "warmup_steps": 100, "weight_decay": 0.1, "r": 2.0},
        {"learning_rate": 1e-2},
    ],
    "schedule_free_adamw": [DECAYING | {"warmup_steps": 100, "r": 2.0}],
    "schedule_free_radam": [DECAYING | {"r": 2.0, "silent_sgd_phase": flag} for flag in (False, True)],
}
# Every line with settings under which each of its links counts.
TRIALS = SUCCESSORS | {
    "torch_sgd": [
        {"lr": 1e-3, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True},
        {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 1e-3, "momentum": jnp.asarray(0.0), "dampening": 0.3},
    ],
    "torch_adagrad": [{"lr": 1e-2, "lr_decay": 1e-2, "weight_decay": 0.1, "eps": 1e-3, "maximize": True}],
    "torch_rmsprop": [
        {"lr": 1e-3, "weight_decay": 0.1, "momentum": 0.9, "eps": 1e-3, "centered": c, "maximize": not c}
        for c in (True, False)
    ],
    "torch_adam": [
        {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.1, "eps": 1e-3, **flags}
        for flags in ({"amsgrad": True}, {"maximize": True}, {"decoupled_weight_decay": True})
    ]
    + [{"lr": falling, "weight_decay": 0.1, "decoupled_weight_decay": True}],
    "torch_adamw": [{"lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-3, "amsgrad": True, "maximize": True}],
    "torch_adamax": [
        {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.1, "eps": 1e-3, "maximize": m}
        for m in (False, True)
    ],
    "torch_nadam": [
        {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.1, "eps": 1e-3, "decoupled_weight_decay": d}
        for d in (False, True)
    ],
    "torch_radam": [
        {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.1, "eps": 1e-3, "decoupled_weight_decay": d}
        for d in (False, True)
    ],
    "official_radam": [
        {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.1, "eps": 1e-3, "degenerated_to_sgd": d}
        for d in (False, True)
    ],
    "tfa_radam": [
        {"learning_rate": 1e-3, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1, "amsgrad": a}
        | ({"total_steps": 200, "min_lr": 1e-4} if a else {"sma_threshold": 4.5})
        for a in (False, True)
    ]
    + [{"total_steps": 2, "warmup_proportion": 0.75}, {"total_steps": jnp.asarray(0)}],
    "keras_adam": [{"beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1, "amsgrad": True}, {}],
}

ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}


def place(node):
    return getattr(node, "place", "")


def changes(node):
    """What can be done to a node: pairs of a description and a function that does it in place."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "chain":
        for i in range(len(node.args)):
            yield f"leave out {ast.unparse(node.args[i])}", lambda n, i=i: n.args.pop(i)
            if i:
                swap = f"{ast.unparse(node.args[i])} before {ast.unparse(node.args[i - 1])}"
                yield swap, lambda n, i=i: n.args.insert(i - 1, n.args.pop(i))
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "mixture":
        for i, part in enumerate(node.args):
            yield f"leave out {ast.unparse(part)}", lambda n, i=i: n.args.pop(i)
            yield (
                f"the rest of the weight in {ast.unparse(part)}",
                lambda n, i=i: weigh_by_the_rest(n.args[i]),
            )
    elif isinstance(node, ast.Call) and "delayed" in (names := [k.arg for k in node.keywords]):
        yield f"no delay in {ast.unparse(node)}", lambda n: n.keywords.pop(names.index("delayed"))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{not node.value} for {node.value}{place(node)}", lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value + 1} for {node.value}{place(node)}", lambda n: setattr(n, "value", n.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield f"+ for - in {ast.unparse(node)}", lambda n: setattr(n, "op", ast.UAdd())
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        other = ARITHMETIC[type(node.op)]
        yield f"{other.__name__} in {ast.unparse(node)}", lambda n: setattr(n, "op", other())


def weigh_by_the_rest(part):
    part.elts[0] = ast.BinOp(ast.Constant(1), ast.Sub(), part.elts[0])


def body_nodes(function):
    """All nodes of a function but its signature and its docstring; keywords' values know their place."""
    code = function.body[1:] if ast.get_docstring(function) else function.body
    nodes = [node for statement in code for node in ast.walk(statement)]
    for call in nodes:
        for keyword in call.keywords if isinstance(call, ast.Call) else ():
            keyword.value.place = f" in {ast.unparse(call)}"
    return nodes


def source():
    """The files as one module, in which a changed part is what all of them use."""
    statements = [node for file in FILES for node in ast.parse(file.read_text("utf-8")).body]
    future = [node for node in statements if getattr(node, "module", "") == "__future__"]
    rest = [
        node
        for node in statements
        if not (isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{presets.__name__}."))
    ]
    return ast.Module([*future[:1], *(node for node in rest if node not in future)], [])


def functions(tree):
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def sites():
    """(function, number of the node in its body, number of the change, description) of every mutant."""
    for function in functions(source()):
        for i, node in enumerate(body_nodes(function)):
            for j, (description, _) in enumerate(changes(node)):
                yield function.name, i, j, description


def users(name):
    """The lines that call a function or have it for a default, directly or not."""
    calls = {f.name: {n.id for n in ast.walk(f) if isinstance(n, ast.Name)} for f in functions(source())}
    found = {name}
    while more := {f for f, called in calls.items() if called & found} - found:
        found |= more
    return [preset for preset in TRIALS if preset in found]


def mutant(name, i, j):
    tree = source()
    node = body_nodes(next(f for f in functions(tree) if f.name == name))[i]
    list(changes(node))[j][1](node)
    return executed(tree)


def executed(tree):
    module = types.ModuleType("radam_optax.mutant")
    exec(compile(ast.fix_missing_locations(tree), "<mutant>", "exec"), vars(module))
    return module


def path(module, preset, arguments):
    return follow(build(getattr(module, preset), arguments), noise=NOISE[:STEPS])


ORIGINALS = {}


def original(preset, index):
    if (preset, index) not in ORIGINALS:
        module = rx if preset in SUCCESSORS else presets
        ORIGINALS[preset, index] = path(module, preset, TRIALS[preset][index])
    return ORIGINALS[preset, index]


def is_noticed(module, preset, index):
    """By an error, a NaN, or a distance that is a thousand times what the parity tests allow."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            changed = path(module, preset, TRIALS[preset][index])
    except Exception:
        return True
    return not distance(changed, original(preset, index)) < 1e-9


def test_the_original_is_not_noticed():
    assert not is_noticed(presets, "torch_adam", 0)
    assert np.isfinite(original("torch_adam", 0)).all()


def test_the_files_as_one_module_hold_every_line_once_and_are_not_noticed():
    names = [f.name for f in functions(source())]
    assert len(names) == len(set(names))
    assert set(TRIALS) - set(SUCCESSORS) == set(presets.__all__) <= set(names)
    lines = {f.name for f in functions(ast.parse(FILES[-1].read_text("utf-8"))) if f.name[0] != "_"}
    assert {name for name in lines if not name.startswith("scale_by_")} == set(SUCCESSORS) - {"scale_by_lion"}
    together = executed(source())
    assert not any(is_noticed(together, preset, 0) for preset in presets.__all__)


@pytest.mark.full
def test_no_trial_notices_what_has_not_changed():
    together = executed(source())
    noticed = [trial for trial in every_trial() if is_noticed(together, *trial)]
    assert noticed == []


def every_trial(lines=TRIALS):
    return [(line, index) for line in lines for index in range(len(TRIALS[line]))]


# What is no change: short cuts past links that would do nothing,
NU_BEFORE = "second_moment(from_first(b2), debias=False, delayed=0.0, dtype=nu_dtype)"
SAME = {
    ("is_zero", "1 for 0"),
    # An average that starts at its first term needs no correction, and no step is taken before it has one.
    ("scale_by_adopt", f"True for False in {NU_BEFORE}"),
    ("scale_by_adopt", f"1.0 for 0.0 in {NU_BEFORE}"),
    # Factors in another order.
    ("adabound", "debias(b1) before debias(b2, power=-0.5)"),
    ("adamod", "debias(b1) before debias(b2, power=-0.5)"),
    ("adamod", "scale_by_learning_rate(learning_rate, flip_sign=False) before debias(b1)"),
    (
        "adamod",
        "scale(-1.0) before "
        "scale_by_adaptive_rate(momentum=first_moment(b1, debias=False, dtype=mu_dtype), rate=rate)",
    ),
}


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "i", "j", "description"), [site for site in sites() if (site[0], site[3]) not in SAME], ids=str
)
def test_every_change_is_noticed(name, i, j, description):
    module = mutant(name, i, j)
    assert any(is_noticed(module, *trial) for trial in every_trial(users(name))), description
