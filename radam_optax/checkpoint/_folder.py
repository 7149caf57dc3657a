"""Where checkpoints are: what a user calls a folder, as a path of this machine."""

import os
import pathlib
import re
import urllib.parse
import urllib.request


def folder_of(name: str, value: str | os.PathLike[str]) -> pathlib.Path:
    """The absolute path that a path means, one below ``~``, or a URL ``file:``. Makes nothing.

    Raises:
      TypeError: it is no path.
      ValueError: it is a place that no file system of this machine has, such as ``s3://bucket/run``, which
        would else become a folder ``s3:`` on the local disk; or it is empty, or below the home of nobody.
      NotADirectoryError: it is a file.
    """
    text = os.fspath(value)
    if not isinstance(text, str):
        raise TypeError(f"`{name}` must be a path in text; got {value!r}.")
    # One slash is enough, since pathlib makes one of two; a scheme of one letter is a drive.
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", text):
        url = urllib.parse.urlsplit(text)
        if scheme[1].lower() != "file" or url.netloc not in ("", "localhost"):
            raise ValueError(
                f"`{name}` must be in a file system of this machine; got {text!r}. Mount it, as FUSE does a "
                "bucket, or copy checkpoints from a local folder. One that is called so begins with './'."
            )
        text = urllib.request.url2pathname(url.path)
    path = os.path.expanduser(text)
    if not path or path.startswith("~"):
        raise ValueError(f"`{name}` must be a folder that can be found; got {value!r}.")
    folder = pathlib.Path(os.path.abspath(path))
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"`{name}` must be a folder; '{folder}' is a file.")
    return folder
