"""optax's own tests pass over this package's functions, but for differences that are meant."""

import json
import os
import pathlib

import optax
import pytest

from tests.support.compiler import QUICK
from tests.support.forks import forks

FOLDER = pathlib.Path(optax.__file__).parent
# Of each file, the tests that are left out: they call no function of ours, take long, or say in another
# dtype what one of them says already.
FILES = {
    "_src/alias_test.py": r"LBFGS|parabola|test_optimization\((?!opt_name='(radam|nadam|sgd)').*"
    r"|test_optimization\(.*float32|stability.*(16|32|64)'>|preserve.*'float32'|accumulation|inject",
    "_src/transform_test.py": r"scalers(?!_(adam|rmsprop|stddev))|apply_every|test_scale|centralize|lion",
    "contrib/_galore_test.py": "3d_attention|mixed_2d|converge|single_dimension|orthonorm|gap|jittable",
    "contrib/_schedule_free_test.py": "$^",
    "schedules/_inject_test.py": "prng_key|static_args|step_count|StatefulTest",
    "transforms/_accumulation_test.py": "mixed_precision|every_k|ema|skip_large",
    "transforms/_combining_test.py": "$^",
    "transforms/_conditionality_test.py": "Conditionally",
    "transforms/_freezing_test.py": "bad_structure",  # Another JAX than optax's words its error otherwise.
    "transforms/_masking_test.py": "$^",
    "transforms/_monitoring_test.py": "$^",
    "tree_utils/_state_utils_test.py": "$^",
}

# Why a test fails, and which ones do: the file, the class, the method, and what it was made for.
DIFFERENCES = {
    "averages are at least float32 where no dtype is asked for": [
        *(
            "alias_test.py::AliasTest::test_explicit_dtype"
            f"(params_dtype='bfloat16', state_dtype=None, opt_name='{name}')"
            for name in ("adam", "adamw")
        ),
        "_galore_test.py::GaLoreTest::test_mu_dtype_controls_moment_dtype",
    ],
    "decays of 16 bits are refused, since 0.999 does not exist in them": [
        f"_inject_test.py::InjectHyperparamsTest::test_hyperparam_{name}"
        for name in (
            *("default_dtype_bf16", "default_dtype_f32"),  # That has one as an argument.
            *("dtypes_bf16hyp f32param bf16grad", "dtypes_bf16hyp f32param f32_grads"),
        )
    ],
    "whole numbers are no parameters, and a gradient is an array": [
        "_combining_test.py::ExtraArgsTest::test_extra_args"
    ],
    "the state of a recipe has classes of its own, one for each of its links": [
        f"_state_utils_test.py::StateUtilsTest::{name}"
        for name in (
            *("test_adam", "test_map_non_params_to_none", "test_map_params_to_none"),
            *("test_tree_get", "test_tree_get_all_with_path", "test_tree_set"),
        )
    ],
}


@pytest.mark.full
@pytest.mark.parametrize("file", FILES)
def test_optaxs_own_tests(file, tmp_path):
    """Those that fail are those in the list, each of which fails."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (group 'clients')")
    outcomes = tmp_path / "outcomes"
    process = forks("optax.contrib", "radam_optax", "pytest", "absl.testing.parameterized").start(
        "pytest",
        *("-p", "tests.support.optax_tests", "--outcomes", outcomes, "--leave-out", FILES[file]),
        *("-c", os.devnull, "--rootdir", tmp_path, "-p", "no:cacheprovider", "-W", "ignore", "-q"),
        FOLDER / file,
        environment={
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": QUICK,
        },
    )
    printed = "\n".join(process.communicate())
    assert outcomes.exists(), printed
    found = json.loads(outcomes.read_text())
    assert found["run"], printed
    meant = {name for names in DIFFERENCES.values() for name in names}
    expected = {name for name in meant if name.startswith(pathlib.Path(file).name)}
    assert set(found["failed"]) == expected, printed
