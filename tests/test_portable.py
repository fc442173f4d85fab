"""Windows has none of the POSIX-only modules, so nothing may need them at import."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pay88kit

PROGRAM = """
import importlib, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_every_module_imports_without_posix_modules() -> None:
    modules = [
        module.name
        for module in pkgutil.walk_packages(pay88kit.__path__, "pay88kit.")
        if not module.name.endswith(".__main__")
    ]
    assert "pay88kit.guide.lab" in modules
    subprocess.run([sys.executable, "-c", PROGRAM, *modules], check=True)
