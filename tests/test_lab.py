"""The guide's working copy, and the arguments JupyterLab is started with."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pay88kit.errors import MissingExtra, PortInUse
from pay88kit.guide import lab

ROOT = Path(__file__).resolve().parent.parent
PAGE = lab.FIRST_PAGE


def notebook(source: str, output: str = "") -> str:
    outputs = [{"output_type": "stream", "name": "stdout", "text": [output]}] if output else []
    cell = {"cell_type": "code", "source": [source], "outputs": outputs, "metadata": {}}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A guide of two pages and a picture, in the place of the real one."""
    source = tmp_path / "shipped"
    (source / "reports").mkdir(parents=True)
    (source / PAGE).write_text(notebook("1 + 1", "2"))
    (source / "reports" / "daily.ipynb").write_text(notebook("day = 1"))
    (source / "flow.svg").write_text("<svg/>")
    (source / ".ipynb_checkpoints").mkdir()
    (source / ".ipynb_checkpoints" / "x.ipynb").write_text("{}")
    monkeypatch.setattr(lab.places, "notebooks", lambda: source)
    return source


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy"


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != lab.MANIFEST
    }


def sources(written: str) -> list[str]:
    """What the learner reads in a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(written)["cells"]]


def test_first_copy_is_the_guide_without_hidden_files(shipped: Path, target: Path) -> None:
    assert lab.refresh(target) == []
    copied = files(target)
    assert sources(copied.pop(PAGE)) == ["1 + 1"]
    assert copied == {"reports/daily.ipynb": notebook("day = 1"), "flow.svg": "<svg/>"}


def test_outputs_are_left_for_the_learner_to_predict(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    (cell,) = json.loads((target / PAGE).read_text())["cells"]
    assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_outputs_stay_while_nothing_new_is_shipped(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    (target / PAGE).write_text(notebook("1 + 1", "my own run"))
    assert lab.refresh(target) == []
    assert "my own run" in (target / PAGE).read_text()


def test_a_notebook_that_was_only_run_gets_the_new_version(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    (target / PAGE).write_text(notebook("1 + 1", "my own run"))
    (shipped / PAGE).write_text(notebook("1 + 2", "3"))
    assert lab.refresh(target) == []
    assert sources((target / PAGE).read_text()) == ["1 + 2"]


def test_new_outputs_alone_are_no_new_version(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    (target / PAGE).write_text(notebook("1 + 1", "my own run"))
    (shipped / PAGE).write_text(notebook("1 + 1", "two"))
    assert lab.refresh(target) == []
    assert "my own run" in (target / PAGE).read_text()


def test_the_learners_change_is_kept_and_said(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    mine = notebook("1 + 41")
    (target / PAGE).write_text(mine)
    assert lab.refresh(target) == []
    (shipped / PAGE).write_text(notebook("1 + 2"))
    for _ in range(2):
        (note,) = lab.refresh(target)
        assert PAGE in note
        assert "rename yours" in note
        assert (target / PAGE).read_text() == mine

    (target / PAGE).rename(target / "mine.ipynb")
    assert lab.refresh(target) == []
    assert (target / PAGE).read_text() == notebook("1 + 2")
    assert (target / "mine.ipynb").read_text() == mine


def test_a_notebook_broken_by_hand_counts_as_changed(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    (target / PAGE).write_text("not a notebook")
    (shipped / PAGE).write_text(notebook("1 + 2"))
    assert len(lab.refresh(target)) == 1
    assert (target / PAGE).read_text() == "not a notebook"


def test_new_files_come_and_withdrawn_ones_go(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    (shipped / "08.ipynb").write_text(notebook("8"))
    (shipped / "reports" / "daily.ipynb").unlink()
    (shipped / "flow.svg").unlink()
    (target / "flow.svg").write_text("<svg>mine</svg>")
    assert lab.refresh(target) == []
    assert set(files(target)) == {PAGE, "08.ipynb", "flow.svg"}
    assert not (target / "reports").exists()


def test_files_of_the_learners_own_are_left_alone(shipped: Path, target: Path) -> None:
    target.mkdir()
    (target / "flow.svg").write_text("mine")
    (target / "notes.txt").write_text("mine")
    assert len(lab.refresh(target)) == 1
    assert (target / "flow.svg").read_text() == (target / "notes.txt").read_text() == "mine"


def test_without_a_readable_manifest_nothing_is_lost(shipped: Path, target: Path) -> None:
    lab.refresh(target)
    (target / PAGE).write_text(notebook("1 + 1", "my own run"))
    (target / "flow.svg").write_text("mine")
    before = files(target)
    (target / lab.MANIFEST).write_text("{broken")
    assert len(lab.refresh(target)) == 1
    assert files(target) == before


def test_a_manifest_cannot_name_files_outside(shipped: Path, target: Path) -> None:
    outside = target.parent / "outside.txt"
    outside.write_text("x")
    lab.refresh(target)
    digest = json.loads((target / lab.MANIFEST).read_text())["flow.svg"]
    shipped.joinpath("flow.svg").unlink()
    outside.write_text("<svg/>")
    entries = {"../outside.txt": digest, str(outside): digest}
    (target / lab.MANIFEST).write_text(json.dumps(entries))
    lab.refresh(target)
    assert outside.exists()


def test_links_are_not_followed(shipped: Path, target: Path) -> None:
    elsewhere = target.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "page").write_text(notebook("1 + 1", "2"))
    target.mkdir()
    try:
        (target / PAGE).symlink_to(elsewhere / "page")
        (target / "reports").symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets only administrators make links")
    (shipped / PAGE).write_text(notebook("1 + 2"))
    assert len(lab.refresh(target)) == 2
    assert files(elsewhere) == {"page": notebook("1 + 1", "2")}


def test_a_place_that_is_taken_gives_one_clear_error(shipped: Path, target: Path) -> None:
    target.write_text("a file")
    with pytest.raises(lab.GuideUnavailable, match="cannot be written"):
        lab.refresh(target)


def test_the_real_guide_opens_on_its_first_page() -> None:
    assert (lab.places.notebooks() / PAGE).is_file()
    assert lab.working_copy().name == lab.WORKING_COPY


def names(arguments: list[str]) -> list[str]:
    return [argument.partition("=")[0] for argument in arguments]


def test_the_kits_arguments(target: Path) -> None:
    arguments = lab.lab_arguments(target, 8899, [])
    assert f"--ServerApp.root_dir={target}" in arguments
    assert f"--LabApp.default_url=/lab/tree/{PAGE}" in arguments
    assert "--ServerApp.port=8899" in arguments
    assert "--ServerApp.port_retries=0" in arguments
    assert "token" not in " ".join(arguments)
    root = getattr(os, "geteuid", lambda: None)() == 0
    assert ("--ServerApp.allow_root=True" in arguments) is root


def test_without_a_port_jupyter_finds_a_free_one(target: Path) -> None:
    assert not {"--ServerApp.port", "--ServerApp.port_retries"} & set(
        names(lab.lab_arguments(target, None, []))
    )


@pytest.mark.parametrize(
    ("given", "not_set"),
    [
        (["--ServerApp.root_dir=x"], {"--ServerApp.root_dir", "--LabApp.default_url"}),
        (["--notebook-dir", "x"], {"--ServerApp.root_dir", "--LabApp.default_url"}),
        (["--ServerApp.default_url=/tree"], {"--LabApp.default_url"}),
        (["--port", "9000"], {"--ServerApp.port"}),
        (["--ServerApp.port=9000"], {"--ServerApp.port"}),
        (["--port-retries=5"], {"--ServerApp.port_retries"}),
        (["--ServerApp.port_retries", "5"], {"--ServerApp.port_retries"}),
        (["--allow-root"], {"--ServerApp.allow_root"}),
    ],
)
def test_an_option_that_is_given_is_not_set_again(
    target: Path, given: list[str], not_set: set[str]
) -> None:
    bare = set(names(lab.lab_arguments(target, 8899, [])))
    arguments = lab.lab_arguments(target, 8899, given)
    assert arguments[: len(given)] == given
    assert set(names(arguments[len(given) :])) == bare - not_set


def test_the_news_stay_off_unless_the_person_wants_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_server.config_manager import BaseJSONConfigManager
    from jupyterlab.labapp import LabApp
    from jupyterlab_server.settings_utils import _get_overrides

    plugin = "@jupyterlab/apputils-extension:notification"
    started: list[list[str]] = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    monkeypatch.setattr(lab, "working_copy", lambda: tmp_path / "copy")
    monkeypatch.setattr(lab, "refresh", lambda target: [])
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    assert lab.start(None, []) == 0
    assert len(started) == 1
    assert _get_overrides(str(tmp_path))[0][plugin] == {
        "checkForUpdates": False,
        "fetchNews": "false",
    }

    own = BaseJSONConfigManager(config_dir=str(tmp_path / "labconfig"))
    own.set("default_setting_overrides", {plugin: {"fetchNews": "true"}})
    assert _get_overrides(str(tmp_path))[0][plugin] == {
        "checkForUpdates": False,
        "fetchNews": "true",
    }


@pytest.mark.skipif(os.name == "nt", reason="make is not used on Windows")
def test_make_lab_hands_its_arguments_on() -> None:
    # A make that runs inside another one says where it is.
    command = ["make", "-n", "--no-print-directory", "lab", "PORT=8899", "LAB_ARGS=--no-browser -y"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1].endswith("pay88 lab --port 8899 -- --no-browser -y")


def test_a_taken_port_is_refused_before_anything_is_written(
    shipped: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "working_copy", lambda: target)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            lab.start(port, ["--no-browser"])
    assert not target.exists()


def test_without_the_extra_the_install_line_is_named(
    shipped: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "working_copy", lambda: target)
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    monkeypatch.delitem(sys.modules, "jupyterlab.labapp", raising=False)
    with pytest.raises(MissingExtra, match=r'pip install "pay88kit\[guide\]"'):
        lab.start(None, [])
    assert not target.exists()


def test_saving_leaves_widget_views_out_and_keeps_their_words() -> None:
    from pay88kit.guide.saving import WIDGET_VIEW, without_widget_views

    data = {WIDGET_VIEW: {"model_id": "x"}, "text/plain": "Open the page"}
    cells = [{"outputs": [{"data": data}]}, {"cell_type": "markdown"}]
    without_widget_views({"type": "notebook", "content": {"cells": cells}}, path="x")
    assert cells[0]["outputs"] == [{"data": {"text/plain": "Open the page"}}]
    without_widget_views({"type": "file", "content": "text"})
    without_widget_views({"type": "notebook", "content": None})


def test_jupyter_finds_the_function_that_saves() -> None:
    from jupyter_server.services.contents.manager import ContentsManager

    from pay88kit.guide.saving import without_widget_views

    arguments = lab.lab_arguments(Path("x"), None, [])
    (named,) = [argument.partition("=")[2] for argument in arguments if "pre_save_hook" in argument]
    assert ContentsManager(pre_save_hook=named).pre_save_hook is without_widget_views
