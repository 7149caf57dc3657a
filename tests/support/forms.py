"""Which cases of a test belong to the full form alone."""

import pytest


def in_forms(cases, quick):
    """The cases of a test: those in ``quick`` in both forms, the others in the full form alone."""
    return [case if case in quick else pytest.param(case, marks=pytest.mark.full) for case in cases]
