"""The guide's working copy, and JupyterLab on it.

The learner never works in the guide's own files. :func:`refresh` copies them into a folder of
their own, and later brings that folder up to date around whatever the learner changed there. A
notebook comes without its outputs: who is asked to predict something must not read it below.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pay88kit import places
from pay88kit.errors import PortInUse, WrongUse, needs

WORKING_COPY = "pay88-guide"
FIRST_PAGE = "00_start_here.ipynb"
MANIFEST = ".pay88-guide.json"

_HERE = Path(__file__).resolve().parent
# The names Jupyter has for one option beside its own, without the class and with underscores.
_OTHER_NAMES = {"notebook_dir": "root_dir"}


class GuideUnavailable(WrongUse):
    """The guide's working copy cannot be written."""


@dataclass(frozen=True)
class Digest:
    """What a file of the guide is known by.

    ``content`` is its every byte; ``source`` only what a person writes: in a notebook the cells'
    sources, so that running it does not count as changing it.
    """

    content: str
    source: str


# ---------------------------------------------------------------- the working copy


def working_copy() -> Path:
    """The learner's folder: in the checkout's root, else in the current directory."""
    return (places.checkout() or Path.cwd()) / WORKING_COPY


def refresh(target: Path) -> list[str]:
    """Bring ``target`` up to date with the shipped guide, and say what was left as it is.

    A file that the learner did not change is replaced when a new version of it is shipped, and
    removed when it is no longer shipped. A file that the learner changed is never touched; one
    that the learner removed comes back. Links are neither followed nor replaced.

    Raises:
        FilesMissing: the guide is not in this installation.
        GuideUnavailable: ``target`` cannot be written.
    """
    source = places.notebooks()
    try:
        target.mkdir(parents=True, exist_ok=True)
        return _refresh(source, target)
    except OSError as error:
        raise GuideUnavailable(
            f"The guide's working copy {target} cannot be written: {error.strerror or error}. "
            f"Free that place, or start from a folder that you may write to."
        ) from error


def _refresh(source: Path, target: Path) -> list[str]:
    before = _read_manifest(target / MANIFEST)
    after: dict[str, Digest] = {}
    notes: list[str] = []
    for name in _shipped(source):
        content = _as_given_out(name, (source / name).read_bytes())
        shipped = _digest(name, content)
        if _place(target, name, content, shipped, before.get(name)):
            after[name] = shipped
        else:
            if name in before:
                after[name] = before[name]
            notes.append(
                f"{name} has a new version; yours is changed and was kept. "
                f"For the new one, rename yours and start again."
            )
    for name in before.keys() - after.keys():
        _withdraw(target, name, before[name])
    if after != before:
        text = json.dumps({name: asdict(after[name]) for name in sorted(after)}, indent=1)
        _write(target / MANIFEST, text.encode())
    return notes


def _place(target: Path, name: str, content: bytes, shipped: Digest, known: Digest | None) -> bool:
    """Whether ``name`` in ``target`` now stands for the shipped version; writes it if it may."""
    path = target / name
    if _obstructed(target, name):
        return False
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        return True
    # Nothing new was shipped, so whatever is there, outputs included, is the learner's.
    if known == shipped:
        return True
    theirs = _digest(name, path.read_bytes())
    if known and theirs.source == known.source:
        _write(path, content)
        return True
    return theirs.source == shipped.source


def _withdraw(target: Path, name: str, known: Digest) -> None:
    """Remove a file that is no longer shipped, unless the learner changed it."""
    path = target / name
    if _obstructed(target, name) or not path.exists():
        return
    if _digest(name, path.read_bytes()).source != known.source:
        return
    path.unlink()
    for folder in path.relative_to(target).parents:
        if folder == Path() or any((target / folder).iterdir()):
            return
        (target / folder).rmdir()


def _obstructed(target: Path, name: str) -> bool:
    """Whether something else stands where the file or one of its folders belongs."""
    path = target / name
    folders = [target / folder for folder in Path(name).parents if folder != Path()]
    return (
        path.is_symlink()
        or (path.exists() and not path.is_file())
        or any(f.is_symlink() or (f.exists() and not f.is_dir()) for f in folders)
    )


def _shipped(source: Path) -> Iterator[str]:
    """The guide's files as relative names with forward slashes, in order, hidden ones left out."""
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
        if path.is_file() and not hidden:
            yield relative.as_posix()


def _as_given_out(name: str, content: bytes) -> bytes:
    """A file as the learner gets it: a notebook without outputs, which are theirs to predict."""
    if not name.endswith(".ipynb"):
        return content
    notebook = json.loads(content)
    run = [cell for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count")]
    if not run:
        return content
    for cell in run:
        cell |= {"outputs": [], "execution_count": None}
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _digest(name: str, content: bytes) -> Digest:
    source = _cell_sources(content) if name.endswith(".ipynb") else None
    return Digest(_hash(content), _hash(content if source is None else source))


def _cell_sources(content: bytes) -> bytes | None:
    """What a person wrote in the notebook, or None when it cannot be read as one."""
    try:
        cells = json.loads(content)["cells"]
        written = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    except (ValueError, KeyError, TypeError):
        return None
    return json.dumps(written).encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_manifest(path: Path) -> dict[str, Digest]:
    """What was shipped last time; empty when that is not known."""
    try:
        entries: dict[str, Any] = json.loads(path.read_bytes())
        return {
            name: Digest(**entry) for name, entry in entries.items() if _inside(path.parent, name)
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _inside(target: Path, name: str) -> bool:
    """Whether a name read from the manifest stays in the working copy."""
    return ".." not in Path(name).parts and (target / name).is_relative_to(target)


def _write(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step, so that no reader sees half a notebook."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as file:
            file.write(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# ---------------------------------------------------------------- JupyterLab


def start(port: int | None, args: Sequence[str]) -> int:
    """Open JupyterLab on the working copy; returns its exit code when it has ended.

    ``args`` go to JupyterLab as they are, and win over everything the kit would set.

    Raises, before anything is started:
        MissingExtra: without the extra ``guide``.
        PortInUse: another program has ``port``.
        FilesMissing, GuideUnavailable: there is no working copy to be had.
    """
    with needs("guide"):
        from jupyterlab.labapp import LabApp
    if port and "port" not in _options(args) and _listens(port):
        raise PortInUse(port)
    target = working_copy()
    for note in refresh(target):
        print(note)
    _add_settings()
    _add_command()
    try:
        # In this process: signals, the exit code and the terminal are then JupyterLab's own.
        LabApp.launch_instance(lab_arguments(target, port, args))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _add_settings() -> None:
    """Let JupyterLab read the kit's default settings; the person's own settings still win."""
    # They turn off the pop-up about Jupyter's news, which LabApp.news_url=None does not.
    folders = [os.environ.get("JUPYTER_CONFIG_PATH"), str(_HERE / "jupyter")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))


def _add_command() -> None:
    """Let JupyterLab's terminals and the notebooks' ``!`` find ``pay88``."""
    here = str(Path(sys.executable).parent)
    found = os.environ.get("PATH", os.defpath)
    if here not in found.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([here, found])


def lab_arguments(target: Path, port: int | None, args: Sequence[str]) -> list[str]:
    """JupyterLab's arguments: ``args``, then the kit's for each option that they do not set."""
    taken = _options(args)
    ours = {"ServerApp.root_dir": str(target)}
    if "root_dir" not in taken:
        ours["LabApp.default_url"] = f"/lab/tree/{FIRST_PAGE}"
    ours["ContentsManager.pre_save_hook"] = "pay88kit.guide.saving.without_widget_views"
    if getattr(os, "geteuid", lambda: None)() == 0:
        ours["ServerApp.allow_root"] = "True"
    if port is not None:
        ours["ServerApp.port"] = str(port)
        # Whoever names a port waits for the guide there, not on the next free one.
        ours["ServerApp.port_retries"] = "0"
    free = {name: value for name, value in ours.items() if name.partition(".")[2] not in taken}
    return [*args, *(f"--{name}={value}" for name, value in free.items())]


def _options(args: Sequence[str]) -> set[str]:
    """The options that the arguments set, each by its bare name (``--port-retries=0``,
    ``--ServerApp.port_retries 0``: ``port_retries``)."""
    names = (
        arg.lstrip("-").partition("=")[0].rpartition(".")[2].replace("-", "_")
        for arg in args
        if arg.startswith("-")
    )
    return {_OTHER_NAMES.get(name, name) for name in names}


def _listens(port: int) -> bool:
    """Whether something on this machine answers on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False
