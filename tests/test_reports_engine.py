"""The engine ``pay88-fork`` beside papermill's own: the same notebooks, cell by cell."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.engines import papermill_engines

from pay88kit.reports.engine import fork as engine
from pay88kit.reports.engine import forking
from pay88kit.reports.engine.kernel import KernelEngine
from pay88kit.reports.run import carry_out, prepare

pytestmark = pytest.mark.skipif(not forking.available(), reason="processes are not forked here")

TORTURE = [
    "x = 1\nprint('to', 'stdout')\nx",
    "import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')",
    "'not shown'\n'shown'",
    "None",
    "x;",
    "from IPython.display import display, HTML, Markdown, JSON, Latex, SVG, clear_output\n"
    "display(HTML('<b>bold</b>'), metadata={'text/html': {'isolated': True}})\n"
    "display(Markdown('*md*'), JSON({'a': [1, None]}), Latex('$x$'))\n"
    "display({'text/plain': 'raw', 'application/x-own+json': {'k': 1}}, raw=True)\n"
    "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
    "handle = display('first', display_id='mine')",
    "print('before'); handle.update('second'); print('after')",
    "display('again', display_id='mine'); handle.update(Markdown('third'))",
    "print('gone'); clear_output(); print('kept')",
    "print('waits'); clear_output(wait=True)\nprint('replaces')",
    "import pandas as pd\nfrom decimal import Decimal\n"
    "frame = pd.DataFrame({'amount': [Decimal('0.10'), Decimal('12345678901234567.89')],"
    " 'name': ['<script>', '=1+1']})\nframe",
    "frame.style.set_uuid('fixed')",
    "{'a': Decimal('1.10'), 'b': [1, 2], 'c': {3}, 'd': 1e300, 'e': 'ñ €😀'}",
    "import matplotlib.pyplot as plt\n"
    "figure, axes = plt.subplots(figsize=(3, 2))\naxes.bar([1, 2], [3, 4])\naxes.set_title('ñ')",
    "%matplotlib inline\nplt.plot([1, 2, 3])\nplt.show()\nplt.figure(figsize=(2, 2));",
    "figure",
    "print(plt.get_backend())",
    "class Rich:\n"
    "    def __repr__(self): return 'plain'\n"
    "    def _repr_html_(self): return '<i>html</i>'\n"
    "    def _repr_mimebundle_(self, **_): return {'application/x-rich': 'yes'}, {'k': 'v'}\n"
    "Rich()",
    "import asyncio\nawait asyncio.sleep(0.001)\n"
    "result = await asyncio.gather(*[asyncio.sleep(0, n) for n in range(3)])\nresult",
    "async def later():\n    await asyncio.sleep(0.01)\n    return 'late'\n"
    "task = asyncio.create_task(later())",
    "await task",
    "%pwd",
    "%%capture taken\nprint('captured')",
    "taken.stdout",
    "%%html\n<em>magic</em>",
    "!echo from a shell",
    "import threading\nthread = threading.Thread(target=print, args=['from a thread'])\n"
    "thread.start()\nthread.join()",
    "import warnings\nwarnings.warn('careful', stacklevel=1)",
    "import logging\nlogging.warning('logged')",
    "__name__, sys.modules['__main__'].x, _, In[1], Out[1]",
    "import pickle\nclass Kept: pass\ntype(pickle.loads(pickle.dumps(Kept()))).__name__",
    "from tqdm.auto import tqdm\ntqdm.__module__",
    "try:\n    input('?')\nexcept Exception as error:\n    print(type(error).__name__)",
    "import ipywidgets\nipywidgets.IntSlider(3)",
    "output = ipywidgets.Output()\nwith output:\n    print('inside')\ndisplay(output)",
    "get_ipython().run_line_magic('precision', '2')\n3.14159",
    "sys.path, sys.path_hooks is not None",
    "import os, signal, time\n"
    "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(30)\n"
    "except KeyboardInterrupt:\n    print('interrupted')",
    "x?",
    "",
    "# only a comment",
    "print('no end of line', end='')",
    "print('\\x1b[31mred\\x1b[0m \\r over')",
    "''.join(map(str, range(30_000)))",
]
ERRORS = [
    "class Broken:\n    def _repr_html_(self): raise ValueError('no repr')\nBroken()",
    "def inner(n):\n    return 1 / n\n\ndef outer():\n    return inner(0)\n\nouter()",
    "print('said before')\nraise ValueError('<b>€</b>')",
    "1 +",
    "import json\njson.loads('{')",
    "class Own(Exception):\n    def __str__(self): return 'own'\nraise Own from KeyError('cause')",
    "raise SystemExit(3)",
    "raise SystemExit",
    "assert 1 == 2, 'not equal'",
    "raise KeyboardInterrupt",
    "await missing()",
    "%no_such_magic",
    "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])",
]


# papermill's own, which hears every reply.
DEFAULT = "kernel"
papermill_engines.register(DEFAULT, KernelEngine)


def notebook(path: Path, *sources: str, tags: tuple[str, ...] = ()) -> Path:
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = [*tags]
    cells.insert(0, new_markdown_cell("# A title"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def execute(source: Path, name: str, **options: Any) -> Any:
    """The executed notebook, also if it stopped with an error."""
    target = source.with_name(f"{source.stem}-{name}.ipynb")
    with suppress(papermill.PapermillExecutionError):
        papermill.execute_notebook(
            source,
            target,
            engine_name=name,
            progress_bar=False,
            cwd=source.parent,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            **options,
        )
    return nbformat.read(target, as_version=4)


def comparable(executed: Any) -> Any:
    """What two runs must have in common: all but times and what a process is called."""
    text = json.dumps(executed)
    text = re.sub(r"\b(0x)[0-9a-f]{6,}", r"\1", text)
    text = re.sub(r"ipykernel_\d+", "ipykernel", text)
    read = json.loads(text)
    # Widgets have names by chance, by which the file is sorted.
    for view in read["metadata"].get("widgets", {}).values():
        view["state"] = sorted(_unnamed(json.dumps(each)) for each in view["state"].values())
    read["cells"] = json.loads(_unnamed(json.dumps(read["cells"])))
    read["metadata"].pop("papermill")
    for cell in read["cells"]:
        cell.pop("id", None)
        assert set(cell["metadata"].pop("execution", {})) in (
            set(),
            {
                "iopub.execute_input",
                "iopub.status.busy",
                "iopub.status.idle",
                "shell.execute_reply",
            },
        )
        status = cell["metadata"].pop("papermill", {})
        cell["papermill"] = [status.get("status"), status.get("exception")]
    return read


def _unnamed(text: str) -> str:
    return re.sub(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", "a widget", text)


def differences(source: Path, *, ends: str = "completed", **options: Any) -> list[Any]:
    """The cells, and the rest, in which the two engines differ. ``ends``: how the last one does."""
    forked, default = (
        comparable(execute(source, name, **options)) for name in (engine.NAME, DEFAULT)
    )
    assert default["cells"][-1]["papermill"][0] == ends
    assert len(forked["cells"]) == len(default["cells"])
    pairs = list(zip(forked.pop("cells"), default.pop("cells"), strict=True))
    return [(ours, theirs) for ours, theirs in [*pairs, (forked, default)] if ours != theirs]


def test_outputs_are_those_of_the_default_engine(tmp_path: Path) -> None:
    assert differences(notebook(tmp_path / "torture.ipynb", *TORTURE)) == []


def test_errors_are_those_of_the_default_engine(tmp_path: Path) -> None:
    source = notebook(tmp_path / "errors.ipynb", *ERRORS)
    assert differences(source, allow_errors=True) == []
    # Without allow_errors, the first one ends the run.
    source = notebook(tmp_path / "stops.ipynb", "1", ERRORS[1], "2")
    assert differences(source, ends="pending") == []


def test_cells_are_skipped_and_parameters_set_as_by_the_default_engine(tmp_path: Path) -> None:
    source = notebook(tmp_path / "p.ipynb", "n = 1  # a number", "n", tags=("parameters",))
    assert differences(source, parameters={"n": 2}) == []
    assert execute(source, engine.NAME, parameters={"n": 2}).cells[3].outputs[0].data == {
        "text/plain": "2"
    }


# One with a chart and one without; the default engine starts a kernel for each.
@pytest.mark.parametrize("name", ["daily_balance", "onboarding"])
def test_the_kits_reports_are_the_same(name: str, tmp_path: Path) -> None:
    pages = []
    for each in (engine.NAME, DEFAULT):
        job = prepare(name, {}, tmp_path / each)
        try:
            carry_out(job, engine=each)
        except Exception as error:
            pages.append(type(error).__name__)
        pages.append(comparable(nbformat.read(job.notebook, as_version=4)))
    assert pages[: len(pages) // 2] == pages[len(pages) // 2 :]


def text_of(executed: Any, cell: int = -1) -> str:
    return "".join(output.get("text", "") for output in executed.cells[cell].outputs)


def test_what_is_written_below_python_is_there_in_its_place(tmp_path: Path) -> None:
    # Not compared: a kernel reads it in a thread, at some moment.
    source = notebook(
        tmp_path / "below.ipynb",
        "import os, subprocess\nprint('one')\nos.system('echo two')\n"
        "subprocess.run(['echo', 'three'])\nprint('four')\nos.write(1, b'five ')",
        "os.write(2, b'\\xf0\\x9f')\nos.write(2, b'\\x98\\x80 \\xff');",
    )
    executed = execute(source, engine.NAME)
    (said, _), (other,) = executed.cells[1].outputs, executed.cells[2].outputs
    assert (said.name, said.text) == ("stdout", "one\ntwo\nthree\nfour\nfive ")
    assert (other.name, other.text) == ("stderr", "😀 \ufffd")


def test_nothing_of_one_run_is_there_in_the_next(tmp_path: Path) -> None:
    spoils = notebook(
        tmp_path / "spoils.ipynb",
        "import os, sys, builtins, random, numpy, pandas, pay88kit, decimal\n"
        "os.environ['SPOILT'] = '1'; os.chdir('/'); builtins.spoilt = pay88kit.spoilt = 1\n"
        "pandas.set_option('display.max_rows', 3); decimal.getcontext().prec = 2\n"
        "sys.path.insert(0, '/spoilt'); sys.modules['json'] = None",
    )
    looks = notebook(
        tmp_path / "looks.ipynb",
        "import os, sys, builtins, pandas, pay88kit, decimal, json\n"
        "print(os.environ.get('SPOILT'), os.getcwd(), hasattr(builtins, 'spoilt'),\n"
        "      hasattr(pay88kit, 'spoilt'), pandas.get_option('display.max_rows'),\n"
        "      decimal.getcontext().prec, '/spoilt' in sys.path, 'spoils' in globals())",
    )
    execute(spoils, engine.NAME)
    found = text_of(execute(looks, engine.NAME))
    assert found == f"None {tmp_path} False False 60 28 False False\n"


def test_chance_is_not_the_same_in_two_runs(tmp_path: Path) -> None:
    source = notebook(
        tmp_path / "chance.ipynb",
        "import random, numpy\nprint(random.random(), numpy.random.rand())",
    )
    first, second = (text_of(execute(source, engine.NAME)).split() for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_what_is_forked_has_one_thread_and_no_foreign_socket(tmp_path: Path) -> None:
    source = notebook(
        tmp_path / "sockets.ipynb",
        "import os\n"
        "ends = {n: os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')"
        " if os.path.lexists(f'/proc/self/fd/{n}')}\n"
        "print(sum(end.startswith('socket:') for end in ends.values()))",
    )
    # Its owner's, and the pair with which asyncio wakes itself.
    assert text_of(execute(source, engine.NAME)) == "3\n"
    # A fork leaves threads behind, and the locks that they hold stay closed.
    server = forking._servers[os.getpid()]._process.pid
    assert len(list(Path(f"/proc/{server}/task").iterdir())) == 1


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import os; os._exit(7)", "it ended by itself with exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "by signal SIGKILL, which"),
        ("import ctypes; ctypes.string_at(0)", "it was ended by signal SIGSEGV"),
    ],
)
def test_a_cell_that_ends_its_process_fails_its_report(
    cell: str, said: str, tmp_path: Path
) -> None:
    source = notebook(tmp_path / "dies.ipynb", "print('fine')", cell, "print('never')")
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        papermill.execute_notebook(
            source, tmp_path / "out.ipynb", engine_name=engine.NAME, progress_bar=False
        )
    assert caught.value.ename == "DeadKernelError"
    assert said in caught.value.evalue
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert [text_of(executed, n) for n in (2, 5)] == ["fine\n", ""]
    # The next one begins as if nothing had been.
    assert text_of(execute(notebook(tmp_path / "next.ipynb", "print(1)"), engine.NAME)) == "1\n"


def test_a_cell_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    from nbclient.exceptions import CellTimeoutError

    here = tmp_path / "pid"
    source = notebook(
        tmp_path / "long.ipynb",
        f"import os, time\nopen({str(here)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)",
    )
    with pytest.raises(CellTimeoutError):
        execute(source, engine.NAME, execution_timeout=5)
    assert is_gone(int(here.read_text()))


def test_what_a_run_leaves_is_tidied_up(tmp_path: Path) -> None:
    source = notebook(
        tmp_path / "tidy.ipynb",
        "import tempfile, atexit\nfolder = tempfile.TemporaryDirectory()\nprint(folder.name)",
    )
    assert not Path(text_of(execute(source, engine.NAME)).strip()).exists()


def test_a_notebook_may_run_reports_of_its_own(tmp_path: Path) -> None:
    inner = notebook(
        tmp_path / "inner.ipynb",
        "from pay88kit import language\nlanguage.spoken()",
        tags=("parameters", "summary"),
    )
    outer = notebook(
        tmp_path / "outer.ipynb",
        "from pay88kit import language, reports\nlanguage.speak('es')",
        f"reports.run({str(inner)!r}, out={str(tmp_path / 'out')!r}).summary",
    )
    executed = execute(outer, engine.NAME, execution_timeout=60)
    assert executed.cells[-1].outputs[0].data["text/plain"] == repr("'en'")


def test_it_works_beside_more_than_a_thousand_open_files() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2_000, before[1]), before[1]))
    try:
        with ExitStack() as files:
            for _ in range(1_100):
                files.enter_context(open(os.devnull, "rb"))
            server = files.enter_context(forking.Server())
            child = server.start(Connection.send, "begun")
            assert child.receive(60) == "begun"
            child.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_lost_server_is_replaced(tmp_path: Path) -> None:
    source = notebook(tmp_path / "one.ipynb", "print(1)")
    execute(source, engine.NAME)
    server = forking._servers[os.getpid()]
    server._process.send_signal(signal.SIGKILL)
    server._process.wait()
    assert text_of(execute(source, engine.NAME)) == "1\n"


def test_the_processes_end_with_their_owner() -> None:
    code = (
        "import os\nfrom pay88kit.reports.engine import forking\n"
        "print(forking.Server()._process.pid, flush=True)\nos._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    ends = time.monotonic() + 60
    while not is_gone(int(done.stdout)) and time.monotonic() < ends:
        time.sleep(0.05)
    assert is_gone(int(done.stdout))


def test_papermill_finds_the_engine_by_its_entry_point(tmp_path: Path) -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
    ((name, target),) = project["project"]["entry-points"]["papermill.engine"].items()
    info = tmp_path / "installed" / "pay88kit_engine-1.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(f"[papermill.engine]\n{name} = {target}\n")
    (info / "METADATA").write_text("Name: pay88kit-engine\nVersion: 1\n")
    source = notebook(tmp_path / "one.ipynb", "print(1)")
    command = [sys.executable, "-m", "papermill", "--engine", engine.NAME, source, tmp_path / "o"]
    there = {**os.environ, "PYTHONPATH": str(info.parent)}
    subprocess.run(command, check=True, env=there, capture_output=True)
    assert text_of(nbformat.read(tmp_path / "o", as_version=4)) == "1\n"


def test_where_processes_are_not_forked_the_default_engine_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "available", lambda: False)
    monkeypatch.setattr(forking, "start", None)
    source = notebook(tmp_path / "one.ipynb", "import sys\nprint('ipykernel' in sys.argv[0])")
    assert text_of(execute(source, engine.NAME)) == "True\n"


def test_there_no_reply_is_missed_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "available", lambda: False)
    # Each of these was held up until the limit once in some twenty times.
    cell = "output = Output()\nwith output:\n    print('inside')\ndisplay(output)"
    cells = ["from ipywidgets import Output", *[cell] * 60]
    executed = execute(notebook(tmp_path / "w.ipynb", *cells), engine.NAME, execution_timeout=20)
    took = [cell.metadata.papermill.duration for cell in executed.cells]
    assert [seconds for seconds in took if seconds >= 20] == []


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
