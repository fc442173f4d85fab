"""Running a report: a notebook with parameters becomes an executed notebook and a web page."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pay88kit.config import without_secrets
from pay88kit.errors import Pay88Error, needs
from pay88kit.frames.files import private
from pay88kit.language import LANGUAGES, _, translated_markdown
from pay88kit.reports import files
from pay88kit.reports.days import ReportError
from pay88kit.reports.engine.forking import ChildDied
from pay88kit.reports.index import Run, add_run, check_index
from pay88kit.reports.page import to_html
from pay88kit.reports.parameters import Parameter, Plain, checked, parameters_of

# The kit's own engine, by its entry point; without fork it does what papermill's default does.
ENGINE = "pay88-fork"
# The cell whose text is the summary in one line.
_SUMMARY = "summary"
_LONGEST = 400
# Whether the parameters of the run in progress were checked.
_checked = ContextVar("checked", default=False)


class ReportFailed(Pay88Error):
    """A report stopped with an error; the notebook up to there is kept at ``notebook``.

    ``html`` is its error page. ``kind`` is the name of the error in the notebook, ``reason`` says
    what went wrong, and ``words`` is both for people; none of them holds a secret.
    """

    def __init__(self, name: str, kind: str, reason: str, notebook: Path) -> None:
        self.name = name
        self.kind = kind
        self.reason = reason
        self.words = _in_words(kind, reason)
        self.notebook = notebook
        self.html = files.page_of(notebook)
        page = f"\nIts error page: {self.html}" if self.html.exists() else ""
        super().__init__(f"report {name}: {self.words}{page}")


def _in_words(kind: str, reason: str) -> str:
    """An error for people: the kit's own say what to do, and their names add nothing."""
    return reason if reason and kind in _names(Pay88Error) else f"{kind}: {reason}".rstrip(": ")


def _names(kind: type[BaseException]) -> set[str]:
    return {kind.__name__}.union(*map(_names, kind.__subclasses__()))


@dataclass(frozen=True)
class Job:
    """A report that may begin: everything is checked, and its names are reserved.

    Attributes:
        name: the report.
        source: its notebook.
        values: the parameters that were given, in their types.
        notebook: where the executed notebook goes; an empty file is there already.
        cwd: the folder in which the report runs.
        language: of its page.
    """

    name: str
    source: Path
    values: Mapping[str, Plain]
    notebook: Path
    cwd: Path
    language: str = "en"

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={value}" for name, value in self.values.items())])


@dataclass(frozen=True)
class Result:
    """The files of a run, its summary in one line, and how many seconds it took."""

    notebook: Path
    html: Path
    tables: tuple[Path, ...] = ()
    summary: str = ""
    seconds: float = 0.0


def parameters(name: str) -> list[Parameter]:
    """What a report can be asked for.

    Raises:
        ReportError: there is no such report, or it has no parameters.
    """
    return parameters_of(files.find(name))


def run(
    name: str, values: Mapping[str, Any] | None = None, *, out: Path | str = "reports-out"
) -> Result:
    """Run a report, and turn it into HTML.

    Args:
        name: one of :func:`names`, or the path of a notebook with a ``parameters`` cell.
        values: parameters; those left out keep their defaults. Never a secret: they are stored.
        out: the folder for its files, which only you may read. Files that are there stay.

    Raises:
        ReportError: an unknown report, a parameter that cannot be, or an unwritable folder;
            nothing was written.
        ReportFailed: the report stopped with an error.
        MissingExtra: without the extra ``reports``.
    """
    return carry_out(prepare(name, values, out))


def prepare(
    name: str,
    values: Mapping[str, Any] | None,
    out: Path | str,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Job:
    """Check what a report is to do, and reserve its names in ``out``; nothing else is written.

    Args:
        name: as of :func:`run`, and so are ``values`` and ``out``.
        now: what time it is; a day that has not begun then is refused.

    Raises:
        ReportError: unknown report or parameter, or an unwritable folder; nothing was written.
        MissingExtra: without the extra ``reports``.
    """
    with needs("reports"):
        import nbconvert  # noqa: F401  (what is missing is said before anything is written)
        import papermill  # noqa: F401
    try:
        here = Path.cwd()
    except FileNotFoundError:
        fault = _("The folder in which this runs is gone. Change to one that is there.")
        raise ReportError(fault) from None
    source = files.find(name)
    declared = parameters_of(source)
    typed = checked(source.stem, declared, values or {}, now)
    folder = Path(out)
    check_index(folder)
    # A notebook that is named by its path may read what lies beside it.
    cwd = here if files.is_own(source) else source.parent
    notebook = files.reserve(folder, source.stem, typed)
    return Job(source.stem, source, typed, notebook, cwd, _language(declared, typed))


def _language(declared: list[Parameter], values: Mapping[str, Plain]) -> str:
    """What a parameter ``language`` says, if it is a language that the kit speaks."""
    said = {p.name: p.value for p in declared} | dict(values)
    language = str(said.get("language"))
    return language if language in LANGUAGES else "en"


def carry_out(job: Job, *, engine: str | None = ENGINE) -> Result:
    """Run a prepared report, and turn it into HTML.

    Args:
        job: of :func:`prepare`.
        engine: the name of one of papermill's engines, None for papermill's own choice. The kit's
            own engine is as quick as a first run can be, and quicker from the second one on.

    Raises:
        ReportFailed: the report stopped with an error, or its files could not be written.
        MissingExtra: without the extra ``reports``.
    """
    begun, clock = datetime.now(UTC), time.monotonic()
    failure: tuple[str, str] | None = None
    try:
        try:
            failure = _execute(job, engine)
        except BaseException:
            # Interrupted, for one: what its cells have shown until then stays, but no secret.
            with suppress(Exception):
                _without_secrets(job.notebook)
            raise
        notebook = _without_secrets(job.notebook)
        words = _in_words(*failure) if failure else _summary(notebook)
        body, tables = to_html(
            notebook,
            name=job.notebook.stem,
            tables_in=files.tables_of(job.notebook),
            language=job.language,
            failure=words if failure else "",
        )
        page = files.page_of(job.notebook)
        with private(page) as file:
            file.write(body.encode())
        seconds = time.monotonic() - clock
        add_run(job.notebook.parent, _row(job, begun, seconds, words, failed=bool(failure)))
    except OSError as error:
        why = f"{error.strerror or error} ({error.filename or job.notebook})"
        failure = type(error).__name__, why
        files.withdraw(job.notebook)
        # A line may still fit where a page does not.
        with suppress(OSError, ReportError):
            row = _row(job, begun, time.monotonic() - clock, _in_words(*failure), failed=True)
            add_run(job.notebook.parent, row)
        raise ReportFailed(job.name, *failure, job.notebook) from None
    finally:
        files.withdraw(job.notebook)
    if failure:
        raise ReportFailed(job.name, *failure, job.notebook)
    return Result(job.notebook, page, tuple(tables), words, seconds)


def _row(job: Job, begun: datetime, seconds: float, words: str, *, failed: bool) -> Run:
    """A run's row in the index, with the files of it that there are."""
    paths = job.notebook, files.page_of(job.notebook)
    notebook, page = (path.name if path.exists() else "" for path in paths)
    return Run(
        at=begun.isoformat(timespec="milliseconds"),
        seconds=round(seconds, 3),
        report=job.name,
        values=dict(job.values),
        state="failed" if failed else "done",
        words=words[:_LONGEST],
        notebook=notebook,
        html=page,
    )


def _execute(job: Job, engine: str | None) -> tuple[str, str] | None:
    """Run the notebook; returns what it stopped with, if it did."""
    with needs("reports"):
        import papermill
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from nbformat import ValidationError
        from papermill.exceptions import PapermillExecutionError
    # papermill cannot read every type, and would warn of a parameter that was checked by its type.
    papermill.log.logger.addFilter(_is_no_false_alarm)
    checked_before = _checked.set(True)
    try:
        papermill.execute_notebook(
            _in_its_language(job),
            _as_it_is(job.notebook),
            dict(job.values),
            engine_name=engine,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            # Not papermill's cwd=, which changes the directory of all threads of this process.
            resources={"metadata": {"path": str(job.cwd)}},
            # The kernel warns of its own loopback connection, which says nothing to a reader.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
    except PapermillExecutionError as error:
        return without_secrets(error.ename), without_secrets(error.evalue)
    except (DeadKernelError, CellTimeoutError) as error:
        return type(error).__name__, "the report's process ended, or did not answer any more."
    except ChildDied as error:
        return type(error).__name__, f"the report's process could not be started: {error}."
    except ValidationError as error:
        why = without_secrets(error.message)
        return type(error).__name__, f"a cell showed what no notebook can hold: {why}"
    finally:
        _checked.reset(checked_before)
    return None


def _is_no_false_alarm(record: logging.LogRecord) -> bool:
    return not (_checked.get() and record.getMessage().startswith("Passed unknown parameter"))


def _as_it_is(path: Path) -> str:
    """A path for papermill, which would fill braces with parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _in_its_language(job: Job) -> Any:
    """What papermill runs: the notebook's path, or the notebook with its prose translated."""
    if job.language == "en" or not files.is_own(job.source):
        return _as_it_is(job.source)
    import nbformat

    notebook = nbformat.read(job.source, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = translated_markdown(cell.source, job.language)
    return notebook


def _without_secrets(path: Path) -> Any:
    """The executed notebook, with the secrets masked that a cell may have shown."""
    import nbformat

    # Empty: the process died before it had anything to save.
    text = path.read_text(encoding="utf-8") or nbformat.v4.writes(nbformat.v4.new_notebook())  # type: ignore[no-untyped-call]
    clean = without_secrets(text)
    if clean != text:
        with private(path) as file:
            file.write(clean.encode())
    return nbformat.reads(clean, as_version=4)  # type: ignore[no-untyped-call]


def _summary(notebook: Any) -> str:
    for cell in notebook.cells:
        if _SUMMARY in cell.metadata.get("tags", []):
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                if words := data.get("text/markdown", data.get("text/plain", "")):
                    return " ".join(re.sub(r"[*`]", "", words).split())
    return ""
