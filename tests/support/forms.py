"""Which cases of a test belong to the full form alone."""

import pytest


def in_forms(cases, quick):
    """The cases of a test: those in ``quick`` in both forms, the others in the full form alone.

    A case is the value of the test's argument, or a tuple of those of its arguments.
    """

    def full(case):
        return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.full)

    return [case if case in quick else full(case) for case in cases]
