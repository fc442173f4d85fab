"""The wheel as a stranger gets it, in environments of its own: the core alone, and the guide."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from run_all import empty_home, warm_matplotlib

from pay88kit import Sandbox

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "notebooks"

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


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """A command's output; an error shows what it wrote."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(project: Path, folder: Path) -> Path:
    """The wheel of a project's folder."""
    command = ("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project)
    run(sys.executable, *command)
    (built,) = folder.glob("*.whl")
    return built


def environment(home: Path) -> Path:
    """The Python of a new and empty environment."""
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, home)
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(python: Path, *what: str | Path) -> None:
    """Install into an environment, at the versions that the project pins."""
    command = ("-m", "uv", "pip", "install", "--quiet", "--python", python)
    pins = ("-c", ROOT / "constraints.txt", "--overrides", ROOT / "overrides.txt")
    run(sys.executable, *command, *pins, *what)


def contents(built: Path) -> dict[str, bytes]:
    """A wheel's files by their names."""
    with zipfile.ZipFile(built) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def shipped() -> dict[str, bytes]:
    """The guide's files as they stand in the project."""
    return {
        path.relative_to(GUIDE).as_posix(): path.read_bytes()
        for path in GUIDE.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(GUIDE).parts)
    }


def stranger(home: Path) -> dict[str, str]:
    """The environment variables of somebody who has an empty home, and no clone anywhere."""
    env = empty_home(home)
    env.pop("PYTHONPATH", None)
    return env


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A later wheel: two lessons have one more cell each, and somebody worked in the folder."""
    project = tmp_path_factory.mktemp("project")
    for folder in ("pay88kit", "notebooks"):
        shutil.copytree(
            ROOT / folder,
            project / folder,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, project)
    for name in ("01_credentials.ipynb", "02_token.ipynb"):
        add_cell(project / "notebooks" / name, "New in this version.")
    for name in (".env", ".ipynb_checkpoints/x.ipynb", "reports-out/x.html", "pay88-guide/x.ipynb"):
        left = project / "notebooks" / name
        left.parent.mkdir(exist_ok=True)
        left.write_text("{}")
    return build(project, tmp_path_factory.mktemp("newer"))


def add_cell(path: Path, text: str) -> None:
    """Write one more cell of prose at the end of a notebook."""
    notebook = json.loads(path.read_bytes())
    notebook["cells"].append({"cell_type": "markdown", "id": "x", "metadata": {}, "source": text})
    path.write_text(json.dumps(notebook), "utf-8")


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the bare wheel and what it requires."""
    python = environment(tmp_path_factory.mktemp("bare"))
    install(python, wheel)
    return python


@pytest.fixture(scope="module")
def guide(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with a wheel and all that its guide requires."""
    python = environment(tmp_path_factory.mktemp("guide"))
    install(python, f"pay88kit[guide] @ {wheel.as_uri()}")
    return python


def test_the_wheel_carries_the_whole_guide_and_its_types(wheel: Path) -> None:
    files = contents(wheel)
    assert "pay88kit/py.typed" in files
    assert "pay88kit/guide/jupyter/labconfig/default_setting_overrides.json" in files
    place = "pay88kit/guide/notebooks/"
    carried = {name.removeprefix(place): files[name] for name in files if name.startswith(place)}
    assert carried == shipped()
    assert {"00_start_here.ipynb", "images/lifecycle.svg", "shop.py"} <= set(carried)


def test_what_git_ignores_stays_behind(wheel: Path, newer: Path) -> None:
    assert set(contents(newer)) == set(contents(wheel))


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


def test_an_upgrade_never_writes_over_the_learners_changes(
    guide: Path, newer: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    env = stranger(tmp_path / "home")
    # JupyterLab says its version and ends; the working copy is made before.
    lab = (guide.with_name("pay88"), "lab", "--", "--version")
    run(*lab, cwd=work, env=env)
    copy = work / "pay88-guide"
    for name, content in shipped().items():
        given = (copy / name).read_bytes()
        # A notebook comes without its outputs.
        assert (sources(given) == sources(content)) if name.endswith(".ipynb") else given == content

    add_cell(copy / "01_credentials.ipynb", "My own note.")
    install(guide, "--no-deps", "--reinstall-package", "pay88kit", newer)
    said = run(*lab, cwd=work, env=env)
    assert "01_credentials.ipynb has a new version; yours is changed and was kept." in said
    assert "My own note." in (copy / "01_credentials.ipynb").read_text("utf-8")
    assert "New in this version." in (copy / "02_token.ipynb").read_text("utf-8")


def test_the_installed_guide_opens_and_runs(guide: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    env = stranger(tmp_path / "home")
    warm_matplotlib(env)
    options = ("--no-browser", "--ServerApp.port=0", "--IdentityProvider.token=open")
    server = subprocess.Popen(
        [guide.with_name("pay88"), "lab", "--", *options],
        cwd=work,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr
        line = next((line for line in server.stderr if "?token=" in line), "")
        assert "/lab/tree/00_start_here.ipynb?token=" in line
    finally:
        server.kill()
        server.communicate()

    # Without JupyterLab, by Jupyter's own command.
    copy = work / "pay88-guide"
    convert = (guide, "-m", "jupyter", "nbconvert", "--execute", "--output-dir", tmp_path)
    run(*convert, "--to", "notebook", "03_charge.ipynb", cwd=copy, env=env)
    executed = json.loads((tmp_path / "03_charge.ipynb").read_bytes())
    saved = json.loads(shipped()["03_charge.ipynb"])
    assert texts(executed) == texts(saved)
    run(*convert, "--to", "html", "00_start_here.ipynb", cwd=copy, env=env)
    assert "The life of a payment" in (tmp_path / "00_start_here.html").read_text("utf-8")


def sources(notebook: bytes) -> list[str]:
    """What a person wrote in it."""
    return ["".join(cell["source"]) for cell in json.loads(notebook)["cells"]]


def texts(notebook: dict[str, Any]) -> list[list[str]]:
    """What each code cell shows as plain text."""
    return [
        ["".join(o.get("data", {}).get("text/plain", o.get("text", ""))) for o in cell["outputs"]]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
