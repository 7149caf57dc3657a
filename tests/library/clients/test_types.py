"""What type checkers say of a user's file that imports the package: nothing."""

import os
import pathlib
import subprocess
import sys

import pytest

import radam_optax

USER = """
import numpy as np
import radam_optax as rx

rx.adam(1e-3)
rx.adam(np.float32(1e-3), b1=np.float32(0.9))
"""
# JAX takes ten seconds; pyright reads it.
MYPY = """
[mypy]
strict = True
follow_imports = silent
[mypy-jax.*,jaxlib.*,chex.*]
follow_imports = skip
"""


@pytest.mark.full
@pytest.mark.parametrize(
    "command",
    [("pyright", "--pythonpath", sys.executable), ("mypy", "--no-incremental")],
    ids=["pyright", "mypy"],
)
def test_a_users_file_type_checks(command, tmp_path):
    pytest.importorskip(command[0], reason=f"{command[0]} is not installed (groups 'lint' and 'clients')")
    # A package that is installed, of which only what it exports may be used.
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "radam_optax").symlink_to(pathlib.Path(radam_optax.__file__).parent)
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "mypy.ini").write_text(MYPY)
    checked = subprocess.run(
        [sys.executable, "-m", *command, "user.py"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(installed), "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
