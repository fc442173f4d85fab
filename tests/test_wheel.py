"""The wheel as a stranger gets it: the core alone, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pay88kit import Sandbox

ROOT = Path(__file__).resolve().parent.parent

# Runs in the new environment, against a sandbox that is served from this one.
ONE_CALL = """
import sys
from importlib.util import find_spec
from pay88kit import Config, Pay88

url, api_key, merchant_id = sys.argv[1:]
config = Config(environment="local", base_url=url, api_key=api_key, merchant_id=merchant_id)
Pay88(config, books=False).token()
extras = ("sqlalchemy", "starlette", "pandas", "pyarrow", "jupyterlab")
print([name for name in extras if find_spec(name)])
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """A command's output; an error shows what it wrote."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the bare wheel and what it requires."""
    home = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, home)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = ("-m", "uv", "pip", "install", "--quiet", "--python", python)
    run(sys.executable, *install, "-c", ROOT / "constraints.txt", wheel)
    return python


def test_the_wheel_carries_the_guide_and_its_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "pay88kit/py.typed" in names
    assert "pay88kit/guide/jupyter/labconfig/default_setting_overrides.json" in names
    for page in ("00_start_here", "reports/daily_balance"):
        assert f"pay88kit/guide/notebooks/{page}.ipynb" in names
    assert not [name for name in names if "checkpoint" in name]


def test_the_core_alone_makes_a_call(python: Path, tmp_path: Path) -> None:
    sandbox = Sandbox(seed=88)
    with sandbox.serve() as url:
        key, merchant = sandbox.config.api_key, sandbox.config.merchant_id
        assert run(python, "-c", ONE_CALL, url, str(key), str(merchant), cwd=tmp_path) == "[]\n"


def test_the_installed_guide_finds_its_notebooks(python: Path, tmp_path: Path) -> None:
    program = (
        "from pay88kit import places; from pay88kit.guide import lab; "
        "print(places.notebooks()); print(lab.working_copy())"
    )
    source, copy = map(Path, run(python, "-c", program, cwd=tmp_path).splitlines())
    assert source.parts[-3:] == ("pay88kit", "guide", "notebooks")
    assert copy == tmp_path.resolve() / "pay88-guide"


def test_a_missing_extra_is_named_by_the_command_line(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-m", "pay88kit", "lab"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert 'pip install "pay88kit[guide]"' in done.stderr
    assert "Traceback" not in done.stderr
