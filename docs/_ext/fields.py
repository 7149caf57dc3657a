"""Fields of states in the API pages: their comments in the source, which say shape and dtype."""

import inspect
import re

FIELD = re.compile(r"^    (\w+): [^#\n]+# (.+)$", flags=re.MULTILINE)


def add_fields(app, what, name, obj, options, lines):
    """Below the text of a named tuple."""
    if what == "class" and hasattr(obj, "_fields"):
        comments = dict(FIELD.findall(inspect.getsource(obj)))
        items = [f"* ``{field}``: {escaped(comments[field])}" for field in obj._fields if field in comments]
        lines += ["", *items, ""] if items else []


def escaped(comment):
    """Comments are plain text, in which stars and bars mean themselves."""
    return re.sub(r"([*|`_])", r"\\\1", comment)


def setup(app):
    app.connect("autodoc-process-docstring", add_fields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
