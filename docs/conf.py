"""How Sphinx makes the site: `make docs`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

# What pages compute runs once: most of its time is compilation.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")

import radam_optax  # noqa: E402

project = "radam_optax"
author = "The radam_optax developers"
copyright = author
version = release = radam_optax.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "api",
    "catalogue",
    "drawing",
    "fields",
    "included",
    "mathfont",
    "mathml",
    "rectifier",
    "schemes",
]
exclude_patterns = ["_ext"]

# Literal blocks of docstrings are formulas; code on pages says what it is.
highlight_language = "none"
# Every reference is found, or the build fails.
nitpicky = True
# Types of fields of states that have no public name.
nitpick_ignore = [("py:class", "Sum"), ("py:class", "radam_optax._numerics.Average")]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
# The fields of a named tuple have their entries as its members.
napoleon_use_ivar = True
napoleon_attr_annotations = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_title = f"radam_optax {version}"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00664b", "color-brand-content": "#00664b"},
    "dark_css_variables": {"color-brand-primary": "#5fd4ae", "color-brand-content": "#5fd4ae"},
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
