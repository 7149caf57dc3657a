"""Docstrings are complete where they stand, agree with signatures and the table, and their examples run."""

import doctest
import io
import textwrap
from pathlib import Path

import jax
import pytest

from docs import docstrings
from tests.support.snippets import is_runnable

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "radam_optax"
TABLE = docstrings.table_of(docstrings.TABLE)

GOOD = '''
    def f(b2: float, size=1e-8, *, other="a b"):
        """Does it.

        ::

            out = b2 x

        Args:
          b2: Decay of the second moment, in [0, 1).
          size: of it, in meters. Default: 1e-8.
          other: of another. Default: "a b".

        Example:
          >>> 1 + 1
          2

        References:
          Somebody (2020), section 1. https://arxiv.org/abs/1908.03265
        """
'''
TEXTS = {"b2": ["Decay of the second moment, in [0, 1).", "Share of it."]}


def small(folder, source):
    """A package whose door exports ``f`` of this source, which is in the catalogue."""
    (folder / "small").mkdir()
    (folder / "small" / "__init__.py").write_text('from small._optimizers import f\n\n__all__ = ["f"]\n')
    file = folder / "small" / "_optimizers.py"
    file.write_text(textwrap.dedent(source).lstrip())
    return folder / "small", file


def test_a_good_docstring_has_no_fault_and_is_not_written(tmp_path):
    package, file = small(tmp_path, GOOD)
    before = file.read_text()
    docstrings.write(docstrings.public(package), TEXTS)
    assert file.read_text() == before
    assert [fault.said for fault in docstrings.all_faults(package, TEXTS)] == [
        "no docstring has the text of `b2` that begins with 'Share of it'"
    ]


@pytest.mark.parametrize(("good", "bad", "said"), [
    ("size: of it, in meters. Default: 1e-8.", "size: Default: 1e-8.", "`size` has no text"),
    ("size: of it", "sizes: of it", "Args has b2, sizes, other; the signature has b2, size, other"),
    ("Default: 1e-8", "Default: 1e-6", "differs from the table or the defaults"),
    ("in [0, 1).", "in [0, 1].", "differs from the table or the defaults"),
    ("b2: Decay of", "b2: Rate of", "in the table: 'Decay of the second moment'; 'Share of it'"),
    ("size: of it, in meters", "size: as there", "sends its reader elsewhere"),
    ("Example:\n", "Usage:\n", "Example is missing"),
    (">>> 1 + 1", "1 + 1", "Example must be a doctest"),
    ("References:", "Source:", "References is missing"),
    ("References:\n          Some", "Source: Some", "Source is References; got 'Source: Somebody"),
    ("https:", "", "References must have a link"),
    ("):", ") -> int:", "Returns is missing"),
    ('"""Does it.', 'x = """', "f has no docstring"),
])  # fmt: skip
def test_each_fault_is_said_with_its_place(tmp_path, good, bad, said):
    assert good in GOOD
    package, file = small(tmp_path, GOOD.replace(good, bad, 1))
    found = docstrings.all_faults(package, TEXTS)
    assert any(said in fault.said for fault in found), found
    assert all(str(fault).startswith(f"{file}:") for fault in found if fault.file == file)


def test_sections_in_another_order_are_said(tmp_path):
    head, example, references = GOOD.partition("\n        Example:\n          >>> 1 + 1\n          2\n")
    package, _ = small(tmp_path, head + references.removesuffix('        """\n') + example + '        """\n')
    assert any("in the order" in fault.said for fault in docstrings.all_faults(package, TEXTS))


def test_two_texts_that_begin_alike_are_said(tmp_path):
    texts = {"b2": ["Decay of the second moment, in [0, 1).", "Decay of the second moment: it."]}
    found = docstrings.all_faults(small(tmp_path, GOOD)[0], texts)
    assert any("two texts of `b2` begin with 'Decay of the second moment'" in fault.said for fault in found)


def test_what_is_missing_is_written_and_the_rest_left_alone(tmp_path):
    spoiled = GOOD.replace("second moment, in [0, 1).", "second moment").replace(" Default: 1e-8.", "")
    spoiled = spoiled.replace('          other: of another. Default: "a b".\n', "")
    package, file = small(tmp_path, spoiled)
    docstrings.write(docstrings.public(package), TEXTS | {"other": ["of another."]})
    assert file.read_text() == textwrap.dedent(GOOD).lstrip()


def test_a_text_of_several_paragraphs_keeps_them(tmp_path):
    paragraphs = (
        "of it, as in::\n\n              x = 1\n\n            and so on.\n\n            Default: 1e-8."
    )
    source = GOOD.replace("of it, in meters. Default: 1e-8.", paragraphs)
    package, file = small(tmp_path, source)
    docstrings.write(docstrings.public(package), TEXTS)
    assert file.read_text() == textwrap.dedent(source).lstrip()


def test_a_named_tuple_has_attributes_and_a_method_arguments(tmp_path):
    package, file = small(tmp_path, '''
        class f(NamedTuple):
            """What came out."""

            b2: float
            rest: tuple = ()

            def at(self, b2):
                """One of them."""
    ''')  # fmt: skip
    docstrings.write(docstrings.public(package), {"b2": ["Decay."]})
    assert "Attributes:\n      b2: Decay.\n      rest: Default: ().\n    " in file.read_text()
    assert "Args:\n          b2: Decay.\n        " in file.read_text()
    said = [fault.said for fault in docstrings.all_faults(package, {"b2": ["Decay."]})]
    assert said == ["f: `rest` has no text"]


def test_long_texts_are_wrapped_between_words_and_not_within_code(tmp_path):
    code = "``" + "x " * 30 + "x``"
    package, file = small(tmp_path, GOOD)
    docstrings.write(
        docstrings.public(package),
        {"b2": [f"Decay of the second moment, {'word ' * 12}{code} {'word ' * 12}end."]},
    )
    lines = file.read_text().splitlines()
    assert max(map(len, lines)) <= docstrings.WIDTH
    assert any(code in line for line in lines)


def test_the_docstrings_of_the_package_have_no_faults():
    found = docstrings.all_faults(PACKAGE, TABLE)
    assert not found, "\n".join(map(str, found))


def examples():
    """The docstrings with an example, by name."""
    for thing in docstrings.public(PACKAGE):
        found = docstrings.docstring_of(thing)
        if found and "Example" in found.sections():
            place = ".".join(thing.file.relative_to(PACKAGE).with_suffix("").parts)
            yield pytest.param(thing, found, id=f"{place}.{thing.name}")


@pytest.mark.parametrize(("thing", "found"), list(examples()))
def test_the_example_runs_by_itself_and_gives_what_it_says(thing, found):
    """With JAX's default promotion of dtypes, which a reader has; without what it imports it is skipped."""
    source = "\n".join(found.content("Example"))
    if not is_runnable("".join(example.source for example in doctest.DocTestParser().get_examples(source))):
        pytest.skip("needs what is not installed")
    test = doctest.DocTestParser().get_doctest(source, {}, thing.name, str(thing.file), found.first)
    said = io.StringIO()
    with jax.numpy_dtype_promotion("standard"):
        failed, tried = doctest.DocTestRunner().run(test, out=said.write)
    assert tried >= 2
    assert not failed, said.getvalue()
