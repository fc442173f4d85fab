"""The command lines of docs/scheduling.md, executed as their schedulers would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pay88kit import reports
from pay88kit.cli import main

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scheduling.md"
LINE = re.compile(
    r"daily_balance day=\d{4}-\d\d-\d\d: done in [\d.]+ s\. Operations of the day: \d+, .*\.html"
)
needs_a_shell = pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX shell")


def block(language: str, number: int = 0) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return found[number]


def executed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command in a shell, with ``pay88`` found, and the local 88Pay for production."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return in_a_shell(command, folder, PATH=path)


def in_a_shell(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables, "HOME": str(folder.parent)}
    shell = ["bash", "-eo", "pipefail", "-c"] if shutil.which("bash") else ["sh", "-ec"]
    return subprocess.run(
        [*shell, command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=180, check=False,
    )  # fmt: skip


# Notes what it is asked, and answers as it was told to.
STAND_IN = """#!/bin/sh
printf '%s\\0' "$@" > asked
cat said
exit "$(cat code)"
"""


@pytest.fixture
def in_this_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """As :func:`executed`, but what ``pay88`` is asked for is done in this process."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "pay88").write_text(STAND_IN)
    (programs / "pay88").chmod(0o700)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.chdir(folder)

    def run(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        def answered(code: int, said: str) -> subprocess.CompletedProcess[str]:
            (folder / "code").write_text(str(code))
            (folder / "said").write_text(said)
            return in_a_shell(command, folder, PATH=path, **variables)

        answered(0, "")
        words = (folder / "asked").read_text().split("\0")[:-1]
        code = main(words)
        said = capsys.readouterr()
        ran = answered(code, said.out)
        return subprocess.CompletedProcess(words, ran.returncode, ran.stdout, said.err + ran.stderr)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder ``88pay`` of the page, with the kit in its ``.venv``."""
    folder = tmp_path / "88pay"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "pay88").symlink_to(Path(sys.executable).parent / "pay88")
    return folder


@needs_a_shell
def test_the_crontab(folder: Path) -> None:
    lines = block("crontab").splitlines()
    jobs = [line for line in lines if line[0].isdigit()]
    assert len(jobs) == 2
    balance, report = (re.sub(r"^(\S+ ){5}", "", job) for job in jobs)
    ran = executed(balance, folder)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    ran = executed(report, folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert LINE.fullmatch(ran.stdout.strip())
    assert [row.state for row in reports.runs(folder / "reports")] == ["done"]


def test_the_task_of_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = [line for line in block("bat").splitlines() if "pay88 report" in line]
    words = shlex.split(line.partition(" >> ")[0].replace("\\", "/"))
    assert words[0] == ".venv/Scripts/pay88"
    monkeypatch.chdir(tmp_path)
    assert main(words[1:]) == 0
    assert LINE.fullmatch(capsys.readouterr().out.strip())
    assert (tmp_path / "reports" / "index.html").is_file()
    assert 'schtasks /Create /TN "88Pay daily report"' in block("bat", 1)


@needs_a_shell
def test_the_workflow_of_github(
    folder: Path, in_this_process: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(block("yaml"))
    steps = workflow["jobs"]["report"]["steps"]
    (step,) = [step for step in steps if "pay88 report" in step.get("run", "")]
    assert step["env"]["PAY88_API_KEY"] == "${{ secrets.PAY88_API_KEY }}"
    ran = in_this_process(step["run"], GITHUB_STEP_SUMMARY="summary.md")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert LINE.fullmatch((folder / "summary.md").read_text().strip())
    (kept,) = [step for step in steps if step.get("uses", "").startswith("actions/upload")]
    assert (folder / kept["with"]["path"] / "index.html").is_file()
    # A report that stops with an error fails the step, whatever stands behind the bar.
    failing = step["run"].replace("day=yesterday", "day=2026-01-14")
    ran = in_this_process(failing, GITHUB_STEP_SUMMARY="summary.md")
    assert ran.returncode == 1
    wrong = step["run"].replace("day=yesterday", "dya=yesterday")
    assert in_this_process(wrong, GITHUB_STEP_SUMMARY="summary.md").returncode == 2
