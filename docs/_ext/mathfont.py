"""The font of formulas, STIX Two Math: what they use of it is cut out and goes with the site.

Browsers stretch roots and braces by a font's table for mathematics, which few systems have a font with. This
one is under the SIL Open Font License; the package ziamath carries it.
"""

import importlib.util
import logging
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

logging.getLogger("fontTools").setLevel(logging.WARNING)  # It says what it does with each table.
FONT = "fonts/STIXTwoMath-Regular.ttf"
# Latin, Greek, punctuation, letters such as the h of Planck, arrows and operators, italics.
RANGES = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x2C6, 0x2DC), (0x300, 0x338), (0x391, 0x3F6), (0x2010, 0x2044),
    (0x20D0, 0x20D1), (0x210E, 0x210F), (0x2190, 0x2199), (0x2200, 0x22FF), (0x2308, 0x230B),
    (0x27E8, 0x27E9), (0x1D434, 0x1D467), (0x1D6E2, 0x1D71B),
]  # fmt: skip


def write(app):
    """Before the static files of the site are copied."""
    package = importlib.util.find_spec("ziamath").submodule_search_locations[0]
    target = Path(app.outdir) / "_static" / "math.woff"
    if target.exists():
        return
    font = TTFont(Path(package) / FONT)
    options = Options(layout_features=["ssty"], hinting=False, name_IDs=[0, 1, 2, 13, 14])
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    font.flavor = "woff"
    target.parent.mkdir(parents=True, exist_ok=True)
    font.save(target)


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
