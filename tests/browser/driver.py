"""JupyterLab as a person meets it: ``pay88 lab`` in a server of its own, driven in Chromium.

The tests' fixtures and ``tests/tools/take_screenshot.py`` share it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from run_all import CHROMIUM, empty_home, warm_matplotlib  # noqa: E402

WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}
PREFIX = "/user/ana"
# Without them, Chromium as root does not start, and asks after hosts of its maker.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# `pay88 lab`, but for where its working copy is: that of whoever works here stays as it is.
LAB = """
import sys
from pathlib import Path
from pay88kit import cli
from pay88kit.guide import lab
lab.working_copy = lambda: Path(sys.argv[1])
sys.exit(cli.main(sys.argv[2:]))
"""

OPEN = """
async path => {
    const app = window.jupyterapp;
    const widget = await app.commands.execute('docmanager:open', {path});
    await widget.context.ready;
    await widget.sessionContext.ready;
    app.shell.activateById(widget.id);
    window.notebook = widget;
}
"""
CELLS = "() => window.notebook.content.model.sharedModel.toJSON().cells"
# Stops at the first error, as Run All does.
SETTLED = """
() => {
    const cells = window.notebook.content.model.sharedModel.toJSON().cells
        .filter(cell => cell.cell_type === 'code');
    const failed = cells.some(cell => cell.outputs.some(o => o.output_type === 'error'));
    return failed || (
        cells.every(cell => cell.execution_count !== null)
        && window.notebook.sessionContext.session.kernel.status === 'idle'
    );
}
"""
RUN_CELLS = """
async ([first, last]) => {
    const {commands} = window.jupyterapp;
    for (let index = first; index <= last; index++) {
        window.notebook.content.deselectAll();
        window.notebook.content.activeCellIndex = index;
        await commands.execute('notebook:run-cell');
    }
}
"""
IN_KERNEL = """
async code => {
    const kernel = window.notebook.sessionContext.session.kernel;
    const future = kernel.requestExecute({code, store_history: false});
    let printed = '';
    future.onIOPub = message => {
        if (message.header.msg_type === 'stream') printed += message.content.text;
    };
    const {content} = await future.done;
    return {status: content.status, error: `${content.ename}: ${content.evalue}`, printed};
}
"""
CLOSE = """
async () => {
    const {commands} = window.jupyterapp;
    if (!window.notebook) return;
    await window.notebook.context.save();
    await window.notebook.sessionContext.shutdown();
    await commands.execute('application:close');
    window.notebook = null;
}
"""
# Texts whose contrast with what is behind them is below 4.5 to 1 (WCAG AA).
LOW_CONTRAST = """
() => {
    const parts = color => color.match(/[\\d.]+/g).map(Number);
    const light = color => {
        const [r, g, b] = parts(color).map(c => c / 255)
            .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = node => {
        for (let at = node; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if (parts(color)[3] !== 0) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const low = [];
    for (const node of document.querySelectorAll('body *')) {
        const own = [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim());
        if (!own || !node.checkVisibility()) continue;
        const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) low.push(`${node.textContent.trim()}: ${ratio.toFixed(1)}`);
    }
    return low;
}
"""


@dataclass
class Lab:
    """A page with JupyterLab in it, and what a person does there."""

    page: Page
    url: str
    token: str

    def start(self) -> None:
        """Open JupyterLab at its address, as the browser does that ``pay88 lab`` opens."""
        self.page.goto(f"{self.url}/?token={self.token}")
        self.page.wait_for_function("() => window.jupyterapp")
        # The sign "idle" comes before the kernel; this does not.
        self.page.evaluate("() => window.jupyterapp.restored")
        # The guide's first page opens by itself; late, it would come in front of another.
        self.panel.get_by_role("heading", level=1).wait_for()

    def open(self, path: str) -> Locator:
        """Open a notebook and wait for its kernel; returns its panel."""
        self.page.evaluate(OPEN, path)
        return self.panel

    @property
    def panel(self) -> Locator:
        """The notebook that is in front."""
        return self.page.locator(".jp-NotebookPanel:visible")

    def run_all(self) -> list[dict[str, Any]]:
        """Run > Run All Cells; returns the cells when the last one is done, or one has failed."""
        # Saved counts say nothing about this run.
        self.command("editmenu:clear-all")
        self.command("runmenu:run-all")
        self.page.wait_for_function(SETTLED)
        return self.cells()

    def command(self, name: str) -> None:
        """Choose an entry of JupyterLab's menus."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run(self, first: int, last: int) -> None:
        """Run the cells from one index to another, both included."""
        self.page.evaluate(RUN_CELLS, [first, last])

    def cells(self) -> list[dict[str, Any]]:
        """The notebook's cells as they are now."""
        return self.page.evaluate(CELLS)

    def in_kernel(self, code: str) -> str:
        """Run code of the test's own in the notebook's kernel; returns what it printed."""
        reply = self.page.evaluate(IN_KERNEL, code)
        assert reply["status"] == "ok", reply["error"]
        return reply["printed"].strip()

    def close(self) -> None:
        """End the notebook's kernel, close its tab, and the tabs that its links opened."""
        for page in self.page.context.pages:
            if page is not self.page:
                page.close()
        self.page.evaluate(CLOSE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM.find(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def jupyterlab(folder: Path) -> Iterator[tuple[str, str]]:
    """``pay88 lab`` with its working copy and its home in ``folder``; yields address and token."""
    token, port = secrets.token_hex(16), free_port()
    env = empty_home(folder / "home")
    warm_matplotlib(env)
    command = [sys.executable, "-c", LAB, str(folder / "pay88-guide"), "lab", f"--port={port}"]
    command += ["--", "--no-browser", "--LabApp.expose_app_in_browser=True"]
    # A prefix, as on Binder and every hub: a link that leaves it out leads nowhere.
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.base_url={PREFIX}/"]
    log = folder / "jupyterlab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}{PREFIX}"
    try:
        wait_for(f"{url}/api", server, log)
        yield url, token
    finally:
        stop(server)


@contextmanager
def fresh_clone(folder: Path) -> Iterator[tuple[str, str]]:
    """``make lab`` in a clone where nobody has worked yet, with empty caches and an empty home.

    Yields address and token as soon as JupyterLab answers.
    """
    token, port = secrets.token_hex(16), free_port()
    env = empty_home(folder / "home")
    env.pop("MPLCONFIGDIR")
    clone = folder / "pay88kit"
    copy_sources(clone)
    arguments = f"--no-browser --LabApp.expose_app_in_browser=True --IdentityProvider.token={token}"
    log = folder / "make.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["make", "lab", f"PORT={port}", f"LAB_ARGS={arguments}"],
            cwd=clone, env=env, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/api", server, log, 240)
        yield url, token
    finally:
        # make, the lab and its kernels.
        os.killpg(server.pid, signal.SIGTERM)
        stop(server)


def copy_sources(clone: Path) -> None:
    """What a clone of this checkout holds: the files that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server; the hard way when it does not go."""
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Return when the server answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - the address is the test's own
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
