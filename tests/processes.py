"""Processes that do something at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent

# Forks are processes like any other, and what they import is imported once. Each tells when it is
# ready; that the one pipe is closed lets all of them go on together.
_FORKING = """
import atexit, json, os, sys, tempfile, traceback

task = json.loads(sys.argv.pop())
names = {"__name__": "__main__"}
exec(task["imports"], names)

def work(number):
    try:
        names["number"] = number
        exec(task["before"], names)
        os.write(tell, b".")
        os.read(wait, 1)
        exec(task["after"], names)
        atexit._run_exitfuncs()
        code = 0
    except BaseException:
        traceback.print_exc()
        code = 1
        # The others are not to wait for it.
        os.write(tell, b".")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

sys.argv += task["given"]
(ready, tell), (wait, go) = os.pipe(), os.pipe()
children = []
for number in range(task["count"]):
    files = [tempfile.TemporaryFile() for _ in range(2)]
    if (child := os.fork()) == 0:
        os.close(ready)
        os.close(go)
        for descriptor, file in enumerate(files, 1):
            os.dup2(file.fileno(), descriptor)
        work(number)
    children.append((child, files))
os.close(tell)
for _ in children:
    os.read(ready, 1)
os.close(go)
told = []
for child, files in children:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for file in files:
        file.seek(0)
    told.append([code, *(file.read().decode() for file in files)])
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    out: str
    err: str


def at_once(count: int, imports: str, before: str, after: str, *given: str) -> list[Ended]:
    """Processes that do ``after`` together, when each has done ``before``.

    The three are Python, and share their names: ``number`` is the process's own, ``sys.argv[1:]``
    is ``given``.
    """
    if hasattr(os, "fork"):
        task = {"imports": imports, "before": before, "after": after, "count": count}
        command = [sys.executable, "-c", _FORKING, json.dumps(task | {"given": given})]
        done = subprocess.run(command, cwd=TESTS, stdout=subprocess.PIPE, timeout=120, check=True)
        return [Ended(*each) for each in json.loads(done.stdout)]
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    start = f"import sys\nnumber = int(sys.argv.pop(1))\n{imports}\n{before}\n"
    start += f"print('ready', flush=True); sys.stdin.readline()\n{after}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", start, str(number), *given], cwd=TESTS, text=True, **pipes
        )
        for number in range(count)
    ]
    for process in processes:
        process.stdout.readline()  # type: ignore[union-attr]
    for process in processes:
        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    said = [process.communicate(timeout=60) for process in processes]
    return [Ended(p.returncode, *each) for p, each in zip(processes, said, strict=True)]
