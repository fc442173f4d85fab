"""The whole test run: ``python tests/run_all.py [--lint] [--units] [--notebooks] [--browser]``.

Every step runs, also after one has failed. The last line counts the tests; the exit code is 1
when anything failed.
"""

from __future__ import annotations

import argparse
import glob
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
# matplotlib says on stderr that it builds its font list, and nbval takes that for a failure: the
# list is kept with the environment, and is there before the notebooks run.
MATPLOTLIB = Path(sys.prefix) / ".matplotlib"


@dataclass(frozen=True)
class Program:
    """A system program that tests need: any of ``names`` will do.

    ``folders`` are patterns of where it may be outside ``PATH``.
    """

    names: tuple[str, ...]
    install: str
    folders: tuple[str, ...] = ()

    def find(self) -> str | None:
        """Where it is, or None."""
        outside = sorted(itertools.chain.from_iterable(map(glob.glob, self.folders)), reverse=True)
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *outside])
        return next(filter(None, (shutil.which(name, path=path) for name in self.names)), None)


CHROMIUM = Program(("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium")
# Debian keeps the server's programs outside PATH.
POSTGRES = Program(("postgres",), "apt-get install postgresql", ("/usr/lib/postgresql/*/bin",))
NODE = Program(("node", "nodejs"), "apt-get install nodejs")
# The step that a missing program leaves out.
NEEDED = {"browser": CHROMIUM}
# The tests of a step that a missing program leaves out; the others of the step run.
NEEDED_IN_PART = {
    "units": [("the books on PostgreSQL", POSTGRES), ("the webhook endpoint in Node", NODE)]
}


@dataclass
class Tally:
    """What has been counted so far, and what is to be said at the end."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def fail(self, what: str) -> None:
        """One failure that is not a test of pytest's."""
        self.failed += 1
        self.failures.append(what)


# ---------------------------------------------------------------- the environment of a run


def plain_environment() -> dict[str, str]:
    """The environment without anybody's 88Pay credentials and books.

    Python may keep what it compiles, also where a container says that it must not: the tests start
    some hundred processes, and one that compiles all it imports takes more than twice as long.
    """
    own = ("PAY88_", "EIGHTY_EIGHT_PAY_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def empty_home(home: Path) -> dict[str, str]:
    """The same with an empty home, as on a machine where nobody has used Jupyter yet."""
    env = plain_environment()
    for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH", "MPLBACKEND"):
        env.pop(name, None)
    places = {
        "HOME": ".",
        "USERPROFILE": ".",
        "APPDATA": "AppData/Roaming",
        "LOCALAPPDATA": "AppData/Local",
        "XDG_CACHE_HOME": ".cache",
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "IPYTHONDIR": ".ipython",
        "JUPYTER_CONFIG_DIR": ".jupyter",
        "JUPYTER_DATA_DIR": ".local/share/jupyter",
        "JUPYTER_RUNTIME_DIR": ".local/share/jupyter/runtime",
    }
    for name, place in places.items():
        folder = home / place
        folder.mkdir(parents=True, exist_ok=True)
        env[name] = str(folder)
    env["MPLCONFIGDIR"] = str(MATPLOTLIB)
    return env


def warm_matplotlib(env: dict[str, str]) -> None:
    """Let matplotlib build its font list, unless it has."""
    if not list(MATPLOTLIB.glob("fontlist-*.json")):
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(command, env=env, check=True, stderr=subprocess.DEVNULL)


# ---------------------------------------------------------------- the steps


def run_tool(tally: Tally, name: str, command: list[str]) -> None:
    """A checker that says yes or no."""
    program = shutil.which(command[0], path=str(Path(sys.executable).parent))
    if program is None:
        tally.fail(f"{name}: {command[0]} is not installed; run make setup")
    elif subprocess.run([program, *command[1:]], cwd=ROOT, check=False).returncode:
        tally.fail(name)


def run_pytest(tally: Tally, name: str, arguments: Iterable[str], env: dict[str, str]) -> None:
    """A run of pytest, whose tests are counted one by one."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
        counted = count(tally, report) if report.exists() else 0
    if code and counted:
        tally.failures.append(f"{name}: {counted} failed")
    elif code:
        tally.fail(f"{name}: pytest ended with code {code}")


def count(tally: Tally, report: Path) -> int:
    """Add a JUnit file to the tally; returns how many of its tests failed."""
    # pytest wrote the file a moment ago.
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314

    def total(*names: str) -> int:
        return sum(int(suite.get(name, 0)) for suite in suites for name in names)

    failed, skipped = total("failures", "errors"), total("skipped")
    tally.failed += failed
    tally.skipped += skipped
    tally.passed += total("tests") - failed - skipped
    return failed


def lint(tally: Tally) -> None:
    """Style, types, and the floors of the house."""
    run_tool(tally, "ruff format", ["ruff", "format", "--check", "--quiet"])
    run_tool(tally, "ruff check", ["ruff", "check", "--quiet"])
    run_tool(tally, "mypy", ["mypy", "--no-error-summary"])
    run_tool(tally, "lint-imports", ["lint-imports"])


def units(tally: Tally) -> None:
    """Everything under tests but the browser."""
    # One more than there are cores: some tests wait, for a disk or for a clock.
    arguments = ["tests", "--ignore=tests/browser", "-n", "3", "--dist", "loadfile"]
    run_pytest(tally, "units", arguments, plain_environment())


def notebooks(tally: Tally) -> None:
    """The committed notebooks, run from top to bottom, each output compared with the saved one."""
    arguments = ["notebooks", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120"]
    arguments += ["-n", "2", "--dist", "loadfile", "-p", "no:randomly", "-p", "tests.homes"]
    in_empty_home(tally, "notebooks", arguments)


def browser(tally: Tally) -> None:
    """What a person sees, in Chromium."""
    in_empty_home(tally, "browser", ["tests/browser", "-n", "2", "--dist", "loadfile"])


def in_empty_home(tally: Tally, name: str, arguments: list[str]) -> None:
    """A run of pytest with a home of its own."""
    # A kernel that is slow to end may still write there.
    with tempfile.TemporaryDirectory(prefix="pay88-home-", ignore_cleanup_errors=True) as home:
        env = empty_home(Path(home))
        warm_matplotlib(env)
        run_pytest(tally, name, arguments, env)


STEPS: dict[str, Callable[[Tally], None]] = {
    "lint": lint,
    "units": units,
    "notebooks": notebooks,
    "browser": browser,
}


def main() -> int:
    """Run the chosen steps, all of them when none is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, step in STEPS.items():
        parser.add_argument(f"--{name}", action="store_true", help=step.__doc__)
    asked = vars(parser.parse_args())
    chosen = [name for name in STEPS if asked[name]] or list(STEPS)

    tally = Tally()
    left_out: list[tuple[str, Program]] = []
    for name in chosen:
        left_out += [(part, what) for part, what in NEEDED_IN_PART.get(name, ()) if not what.find()]
        if name in NEEDED and not NEEDED[name].find():
            left_out.append((name, NEEDED[name]))
            continue
        print(f"── {name}", flush=True)
        started = time.monotonic()
        STEPS[name](tally)
        print(f"── {name}: {time.monotonic() - started:.1f} s", flush=True)

    for name, program in left_out:
        notice = f"{name} left out: {program.names[0]} is missing. To install it: {program.install}"
        if os.environ.get("CI") == "true":
            tally.fail(notice)
        else:
            print(notice)
    for failure in tally.failures:
        print(f"FAILED {failure}")
    if tally.skipped:
        print(f"{tally.skipped} skipped")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    # A Windows console's own code page lacks the rule that separates the steps.
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    raise SystemExit(main())
