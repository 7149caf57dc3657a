"""What went wrong with a checkpoint: that it is unusable, or what the system said, in one line."""

import errno
import os
import re

# Errors that say nothing about the checkpoint: it may be read later.
_PASSING = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EPERM, errno.ESTALE, errno.ETIMEDOUT}


class UnusableError(Exception):
    """Why a checkpoint cannot be read, or is not what was written."""


def told(error: Exception) -> UnusableError | OSError:
    """An error of reading as a reason to pass a checkpoint over, or one that says nothing about it."""
    code = _errno(error)
    return OSError(code, line_of(error)) if code in _PASSING else UnusableError(line_of(error))


def _errno(error: Exception) -> int | None:
    """What the system said; tensorstore's errors have it in their text."""
    code = re.search(r"os_error_code='(\d+)'", str(error))
    return int(code[1]) if code else getattr(error, "errno", None)


def line_of(error: Exception) -> str:
    """An error in one line; tensorstore tells at length what it was about to do, last why it could not."""
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(".").split())
    text = text if len(text) < 300 else f"{text[:140]} [...] {text[-150:]}"
    code = _errno(error)
    return text if code is None or isinstance(error, OSError) else f"{os.strerror(code)}: {text}"
