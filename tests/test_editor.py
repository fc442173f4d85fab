"""The guide in an editor such as VS Code: a kernel in the notebook's folder, no Jupyter server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from run_all import empty_home, warm_matplotlib

from pay88kit import places

GUIDE = places.notebooks()
OUTPUTS = ("stream", "display_data", "execute_result")
Run = Callable[[str], list[dict[str, Any]]]


def wait_until_ready(client: BlockingKernelClient, kernel: subprocess.Popen[bytes]) -> None:
    """Wait for a kernel's first answer, for a minute."""
    ends = time.monotonic() + 60
    while True:
        try:
            return client.wait_for_ready(timeout=60)
        except RuntimeError:
            # On a busy machine a kernel misses a heartbeat, and is taken for dead.
            if kernel.poll() is not None or time.monotonic() > ends:
                raise


# Names, and the kit with its sandbox: what a new kernel would not have.
ANEW = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "pay88kit"]:
    del sys.modules[name]
%reset -f
"""


@pytest.fixture
def run(kernel: Run, home: Path) -> Run:
    """Runs code in the kernel, which has seen no other lesson."""
    kernel(ANEW)
    for place in home.iterdir():
        # What lessons keep; IPython has its history open.
        if place.name != ".ipython":
            shutil.rmtree(place)
    return kernel


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel") / "home"


@pytest.fixture(scope="module")
def kernel(home: Path) -> Iterator[Run]:
    """Runs code in a kernel that is started as editors start one: by itself.

    It returns what the code showed, as the contents of the kernel's messages.
    """
    env = empty_home(home)
    warm_matplotlib(env)
    for name in [name for name in env if name.startswith(("JPY_", "JUPYTERHUB_"))]:
        del env[name]
    file, _ = write_connection_file(str(home.with_name("kernel.json")), ip="127.0.0.1")
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", file]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    kernel = subprocess.Popen(command, cwd=GUIDE, env=env, **quiet)
    client = BlockingKernelClient(connection_file=file)
    client.load_connection_file()
    client.start_channels()
    wait_until_ready(client, kernel)

    def run(code: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []

        def keep(message: dict[str, Any]) -> None:
            if message["msg_type"] in OUTPUTS:
                shown.append(message["content"])

        reply = client.execute_interactive(code, timeout=60, output_hook=keep)
        assert reply["content"]["status"] == "ok", reply["content"]
        return shown

    try:
        yield run
    finally:
        client.stop_channels()
        kernel.kill()
        kernel.wait()


def words(outputs: list[dict[str, Any]]) -> str:
    """All that a cell shows, as plain text."""
    texts = (o["data"]["text/plain"] if "data" in o else o["text"] for o in outputs)
    return "".join("".join(text) for text in texts)


@pytest.mark.parametrize("name", ["00_start_here", "04_webhooks", "explore"])
def test_a_lesson_shows_the_same_words(run: Run, name: str) -> None:
    for cell in json.loads((GUIDE / f"{name}.ipynb").read_bytes())["cells"]:
        if cell["cell_type"] == "code":
            assert words(run("".join(cell["source"]))) == words(cell["outputs"])


def test_without_a_jupyter_server_links_lead_to_the_port_itself(run: Run) -> None:
    run("from pay88kit import Pay88\nclient = Pay88()")
    (printed,) = run("print(client.sandbox.show_console().url)")
    url = printed["text"].strip()
    assert url.startswith("http://127.0.0.1:")
    assert httpx.get(url, follow_redirects=True).status_code == 200
