"""The files that set up an environment, held against each other."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# conda-forge's names for what PyPI calls otherwise.
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def requirements(extra: str) -> dict[str, Requirement]:
    """What the core and an extra ask for, the extras inside the extra included."""
    found: dict[str, Requirement] = {}
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]
    while lines:
        requirement = Requirement(lines.pop())
        if requirement.name == PROJECT["name"]:
            for inner in requirement.extras:
                lines += PROJECT["optional-dependencies"][inner]
        else:
            found[canonicalize_name(requirement.name)] = requirement
    return found


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def environment(path: str) -> tuple[dict[str, str], list[str]]:
    """conda's dependencies as name and bound, and the lines for pip."""
    content = yaml.safe_load((ROOT / path).read_text("utf-8"))
    assert content["channels"] == ["conda-forge"]
    conda: dict[str, str] = {}
    pip: list[str] = []
    for entry in content["dependencies"]:
        if isinstance(entry, dict):
            pip += entry["pip"]
        else:
            match = re.fullmatch(r"([a-z0-9-]+)(.*)", entry)
            assert match, entry
            conda[CONDA_NAMES.get(match[1], match[1])] = match[2]
    return conda, pip


@pytest.mark.parametrize("extra", ["guide", "test"])
def test_every_requirement_is_pinned_within_its_bounds(extra: str) -> None:
    for name, requirement in requirements(extra).items():
        versions = [pin.specifier for pin in pins() if canonicalize_name(pin.name) == name]
        assert versions, f"{name} is missing from constraints.txt: run make pins"
        for version in versions:
            number = str(version).removeprefix("==")
            assert requirement.specifier.contains(number), f"{name} {number}: run make pins"


def test_constraints_are_single_versions_without_addresses() -> None:
    for pin in pins():
        assert re.fullmatch(r"==[0-9A-Za-z.+!]+", str(pin.specifier)), pin
        assert pin.url is None
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text, re.MULTILINE)


def test_constraints_serve_every_system() -> None:
    for system, name in (("win32", "colorama"), ("darwin", "appnope"), ("linux", "pexpect")):
        (pin,) = (pin for pin in pins() if pin.name == name)
        windows = system == "win32"
        fields = {"sys_platform": system, "os_name": "nt" if windows else "posix"}
        assert pin.marker
        assert pin.marker.evaluate(fields), f"{name} is not pinned for {system}"


def test_conda_asks_for_what_the_guide_asks_for() -> None:
    conda, pip = environment("environment.yml")
    assert conda.pop("python") == "=3.11"
    assert "pip" in conda
    del conda["pip"]
    wanted = requirements("guide")
    assert set(conda) <= set(wanted)
    for name, bound in conda.items():
        assert Requirement(name + bound).specifier == wanted[name].specifier, name
    assert pip == ["-e .[guide]"]


def test_binder_has_one_python_and_no_ranges() -> None:
    conda, pip = environment("binder/environment.yml")
    assert conda == {"python": "=3.11", "pip": ""}
    assert pip == []
    assert not (ROOT / "binder" / "environment.yml").is_symlink()
    assert PROJECT["requires-python"] == ">=3.11"


def test_post_build_installs_the_package_under_the_pins() -> None:
    post_build = ROOT / "binder" / "postBuild"
    lines = post_build.read_text("utf-8").splitlines()
    assert lines[0].startswith("#!")
    (install,) = (line for line in lines if "pip install" in line)
    assert "-c constraints.txt" in install
    assert "'.[guide]'" in install
    if os.name == "posix":
        assert os.access(post_build, os.X_OK)


@pytest.mark.parametrize("path", ["README.md", "binder/environment.yml"])
def test_binder_opens_the_first_page(path: str) -> None:
    (opened,) = re.findall(r"\?urlpath=lab/tree/([\w/.]+\b)", (ROOT / path).read_text("utf-8"))
    assert opened == "notebooks/00_start_here.ipynb"
    assert (ROOT / opened).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="repo2docker needs a POSIX system")
def test_repo2docker_picks_conda_from_the_binder_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    from repo2docker.app import Repo2Docker
    from repo2docker.buildpacks import CondaBuildPack

    monkeypatch.chdir(ROOT)
    app = Repo2Docker()
    packs = (kind(base_image=app.base_image) for kind in app.buildpacks)
    picked = next(pack for pack in packs if pack.detect())

    assert type(picked) is CondaBuildPack
    assert picked.binder_dir == "binder"
    assert picked.python_version == "3.11"
    picked.platform = "linux/amd64"
    dockerfile = picked.render({"NB_USER": "jovyan", "NB_UID": "1000"})
    assert "binder/environment.yml" in dockerfile
    assert "./binder/postBuild" in dockerfile
