"""Processes that need not import what they run: they are forked from one that has imported it.

Importing JAX, Flax and Orbax takes longer than most of what a test wants of a process. A forked process is as
real as one that ``python -W error -m MODULE`` starts: it has devices, threads, output and an end of its own,
and can be killed. The server, in which no thread and no device exists yet, is this file run as a program.
"""

import contextlib
import gc
import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
PAUSE = 0.01  # Seconds between two looks at a process that is waited for.


# All are errors, but that of two processes that meet in the compilation cache: one of them compiles again.
WARNINGS = ["-W", "error"]
WARNINGS += [
    f"-Wignore:Error {what} persistent compilation cache:UserWarning" for what in ("reading", "writing")
]


def alone():
    """The environment of a process with one device, whose programs are compiled once for all processes."""
    return {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | {
        "JAX_COMPILATION_CACHE_DIR": os.environ.get("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".jax_cache")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        # A thread of a library for linear algebra would not survive a fork.
        "OPENBLAS_NUM_THREADS": "1",
    }


class Forks:
    """A server that has imported some modules, and starts processes that run a module."""

    def __init__(self, *modules, environment=()):
        self._folder = tempfile.TemporaryDirectory()
        self._started = 0
        self._server = subprocess.Popen(
            [sys.executable, *WARNINGS, "-m", "tests.support.forks", *modules],
            cwd=ROOT,
            env=alone() | dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self._answer() == "ready"

    def start(self, module, *arguments, environment=()):
        """A process that runs ``python -W error -m module arguments``."""
        self._started += 1
        pipes = [os.path.join(self._folder.name, f"{self._started}.{kind}") for kind in ("out", "err")]
        for path in pipes:
            os.mkfifo(path)
        ends = [os.open(path, os.O_RDONLY | os.O_NONBLOCK) for path in pipes]
        return Forked(
            self,
            self.ask(
                module=module,
                arguments=list(map(str, arguments)),
                environment=dict(environment),
                pipes=pipes,
            ),
            ends,
        )

    def ask(self, **request):
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._server.stdout.readline()
        assert line, f"the server has ended with exit code {self._server.wait()}"
        return json.loads(line)

    def close(self):
        """Waits for the server, so that what it and its processes have used is known."""
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
        self._folder.cleanup()


class Forked:
    """A process of a server, with the methods of `subprocess.Popen` that the tests use."""

    def __init__(self, forks, pid, pipes):
        self._forks, self.pid, self._pipes, self.returncode = forks, pid, pipes, None
        self._written = [b"", b""]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.wait()

    def poll(self):
        """The exit code, or None while the process runs."""
        if self.returncode is None:
            self.returncode = self._forks.ask(pid=self.pid)
            self._read()  # A pipe that is full would hold it up.
            if self.returncode is not None:
                for pipe in self._pipes:
                    os.close(pipe)
        return self.returncode

    def _read(self):
        for i, pipe in enumerate(self._pipes):
            with contextlib.suppress(BlockingIOError):
                while more := os.read(pipe, 2**16):
                    self._written[i] += more

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(PAUSE)
        return self.returncode

    def communicate(self, timeout=None):
        """Waits for the end; what was written to standard output, and to standard error."""
        self.wait(timeout)
        return self.written()

    def written(self):
        """The same, as far as it is there."""
        self.poll()
        return tuple(text.decode() for text in self._written)


SERVERS = {}


def forks(*modules):
    """The server of these modules; of one for every user, which ends with the tests."""
    if modules not in SERVERS:
        SERVERS[modules] = Forks(*modules)
    return SERVERS[modules]


def close():
    """Ends all servers."""
    while SERVERS:
        SERVERS.popitem()[1].close()


def serve(modules):
    """Answers requests until there are no more. Returns in a process that was started: what it is to run."""
    for name in modules:
        importlib.import_module(name)
    gc.freeze()  # Or the first collection would copy the memory that is shared.
    answer = "ready"
    while True:
        print(json.dumps(answer), flush=True)
        line = sys.stdin.readline()
        if not line:
            return None
        request = json.loads(line)
        if "pid" in request:
            pid, status = os.waitpid(request["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif (answer := os.fork()) == 0:
            return request


def become(request):
    """Runs a module in this process, as its program."""
    os.environ.update(request["environment"])
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, path in enumerate(request["pipes"], 1):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv[1:] = request["arguments"]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__" and (request := serve(sys.argv[1:])):
    become(request)
