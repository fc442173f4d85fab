"""The command lines of docs/scheduling.md, executed as their schedulers would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
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


def executed(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell, with ``pay88`` found, and the local 88Pay for production."""
    environment = {**os.environ, **variables, "HOME": str(folder.parent)}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shell = ["bash", "-eo", "pipefail", "-c"] if shutil.which("bash") else ["sh", "-ec"]
    return subprocess.run(
        [*shell, command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=180, check=False,
    )  # fmt: skip


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
def test_the_workflow_of_github(folder: Path) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(block("yaml"))
    steps = workflow["jobs"]["report"]["steps"]
    (step,) = [step for step in steps if "pay88 report" in step.get("run", "")]
    assert step["env"]["PAY88_API_KEY"] == "${{ secrets.PAY88_API_KEY }}"
    ran = executed(step["run"], folder, GITHUB_STEP_SUMMARY="summary.md")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert LINE.fullmatch((folder / "summary.md").read_text().strip())
    (kept,) = [step for step in steps if step.get("uses", "").startswith("actions/upload")]
    assert (folder / kept["with"]["path"] / "index.html").is_file()
    # A report that stops with an error fails the step, whatever stands behind the bar.
    failing = step["run"].replace("day=yesterday", "day=2026-01-14")
    ran = executed(failing, folder, GITHUB_STEP_SUMMARY="summary.md")
    assert ran.returncode == 1
    wrong = step["run"].replace("day=yesterday", "dya=yesterday")
    assert executed(wrong, folder, GITHUB_STEP_SUMMARY="summary.md").returncode == 2
