"""Run the committed notebooks from top to bottom and save their outputs: ``make notebooks``.

    python tests/tools/run_notebooks.py [notebook …]

Each runs in a kernel of its own, in its own folder, with an empty home and none of your 88Pay
settings. What differs from run to run and is never shown from a file is left out: widget views
(their kernel is gone when the file is opened) and timings.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from pay88kit.reports.engine.kernel import attentive

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from run_all import empty_home, warm_matplotlib  # noqa: E402

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"},
}


def run(path: Path) -> None:
    """Execute ``path`` and write it back."""
    notebook: Any = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    attentive(client).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{path.stem.replace('_', '-')}-{number:02}"[-64:]
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)
    nbformat.validate(notebook)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        nbformat.write(notebook, file)


def main() -> None:
    """Run those named, or all."""
    given = [Path(argument).resolve() for argument in sys.argv[1:]]
    paths = given or sorted((ROOT / "notebooks").rglob("*.ipynb"))
    for path in paths:
        if ".ipynb_checkpoints" in path.parts:
            continue
        # One lesson's evidence for the checklist must not show in the next one.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            env = empty_home(Path(home))
            warm_matplotlib(env)
            os.environ.clear()
            os.environ.update(env)
            run(path)
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path, flush=True)


if __name__ == "__main__":
    main()
