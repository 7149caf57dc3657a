"""A plugin of pytest for optax's own tests: they find this package's functions in the place of optax's.

``python -m pytest -p tests.support.optax_tests --outcomes FILE TESTS`` writes which tests failed, by the
names of their files, and which there were. Of tests that are made for many optimizers those of ours are run.
"""

import inspect
import json
import re
import sys

import optax
import optax.contrib
import pytest

import radam_optax as rx

# Made of both packages' names; what optax calls otherwise; what has a name of optax's, but is another thing.
OURS = {name: f for name, f in vars(rx).items() if inspect.isfunction(f) and hasattr(optax, name)}
OURS |= {"scale_by_rss": rx.scale_by_adagrad}
OURS.pop("bias_correction", None)
# optax's NAdamW is a line with scale_by_adam; one of the tests speaks of SGD with momentum as of a function.
OF_OURS = {"nadamw", "sgd_mom"}


def replace():
    """Puts our functions into all of optax's modules, under whatever name they have there."""
    ours = {id(getattr(optax, name)): f for name, f in OURS.items()}
    for module in [m for name, m in sys.modules.items() if name == "optax" or name.startswith("optax.")]:
        for name, value in list(vars(module).items()):
            if id(value) in ours:
                setattr(module, name, ours[id(value)])


replace()
outcomes = {"failed": [], "run": {}}


def name_of(item):
    """The file, the class, the method, and what it was made for: a number would say nothing."""
    method = re.sub(r"\d+$", "", item.name) if parameters(item) else item.name
    return f"{item.path.name}::{item.cls.__name__}::{method}{parameters(item)}"


def parameters(item):
    return getattr(item.function, "__x_params_repr__", "")


def pytest_addoption(parser):
    parser.addoption("--outcomes")
    parser.addoption("--leave-out", default="$^", help="Tests whose names match it are not run.")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items, config):
    def wanted(item):
        of = re.findall(r"opt_name='(\w+)'", parameters(item))
        return set(of) <= OURS.keys() | OF_OURS and not re.search(config.option.leave_out, name_of(item))

    items[:] = [item for item in items if wanted(item)]


def pytest_collection_finish(session):
    outcomes["run"] = {item.nodeid: name_of(item) for item in session.items}


def pytest_runtest_logreport(report):
    """Of a test, or of a part of it."""
    if report.failed:
        outcomes["failed"].append(outcomes["run"][report.nodeid])


def pytest_sessionfinish(session):
    with open(session.config.option.outcomes, "w") as file:
        json.dump({"failed": outcomes["failed"], "run": list(outcomes["run"].values())}, file)
