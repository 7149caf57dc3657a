"""The comparisons of test_parity can fail: every preset, changed in one place, is told from the original.

The source of the presets is changed as a careless hand would: two links swapped, a link left out, a
power or a sign turned round, a bias correction switched, a constant moved.
"""

import ast
import pathlib
import types
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

from radam_optax import presets
from tests.support.parity import NOISE, build, distance, follow

# The files of the presets; what they share comes first.
FILES = sorted(
    pathlib.Path(presets.__file__).parent.glob("_[a-z]*.py"), key=lambda file: (file.stem != "_parts", file)
)
STEPS = 320  # To just behind the first spike.


def falling(count):
    return 1e-3 / (1 + count)


# Every preset with settings under which each of its links counts.
TRIALS = {
    "torch_sgd": [
        {"lr": 1e-3, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True},
        {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
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


def changes(node):
    """What can be done to a node: pairs of a description and a function that does it in place."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "chain":
        for i in range(len(node.args)):
            yield f"leave out {ast.unparse(node.args[i])}", lambda n, i=i: n.args.pop(i)
            if i:
                swap = f"{ast.unparse(node.args[i])} before {ast.unparse(node.args[i - 1])}"
                yield swap, lambda n, i=i: n.args.insert(i - 1, n.args.pop(i))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{not node.value} for {node.value}", lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value + 1} for {node.value}", lambda n: setattr(n, "value", n.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield f"+ for - in {ast.unparse(node)}", lambda n: setattr(n, "op", ast.UAdd())
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        other = ARITHMETIC[type(node.op)]
        yield f"{other.__name__} in {ast.unparse(node)}", lambda n: setattr(n, "op", other())


def body_nodes(function):
    """All nodes of a function but its signature and its docstring."""
    code = function.body[1:] if ast.get_docstring(function) else function.body
    return [node for statement in code for node in ast.walk(statement)]


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
    """The presets that call a function, directly or not."""
    calls = {f.name: {n.id for n in body_nodes(f) if isinstance(n, ast.Name)} for f in functions(source())}
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
        ORIGINALS[preset, index] = path(presets, preset, TRIALS[preset][index])
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


def test_the_files_as_one_module_hold_every_preset_once_and_are_not_noticed():
    names = [f.name for f in functions(source())]
    assert len(names) == len(set(names))
    assert set(TRIALS) == set(presets.__all__) <= set(names)
    together = executed(source())
    assert not any(is_noticed(together, preset, 0) for preset in TRIALS)


# Short cuts past links that would do nothing.
SAME = {("is_zero", "1 for 0")}


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "i", "j", "description"), [site for site in sites() if (site[0], site[3]) not in SAME], ids=str
)
def test_every_change_is_noticed(name, i, j, description):
    module = mutant(name, i, j)
    trials = [(preset, index) for preset in users(name) for index in range(len(TRIALS[preset]))]
    assert any(is_noticed(module, *trial) for trial in trials), description
