"""What a check found: for people, for programs, for CI. It holds no secret and no token."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from pay88kit.display import Row, Shown, as_text, grid_html
from pay88kit.endpoint_check.probes import Verdict
from pay88kit.endpoint_check.said import Said, said_in
from pay88kit.errors import WrongUse
from pay88kit.frames import to_frame
from pay88kit.language import N_, _

if TYPE_CHECKING:
    import pandas as pd

_HEADER = (N_("probe"), N_("verdict"), N_("sent"), N_("expected"), N_("came back"))
_ADVICE = (*_HEADER[:2], N_("why it matters"), N_("how to mend it"), N_("basis"))
# Numbers of verdicts, in the summary.
_COUNTED = {
    Verdict.PASSES: N_("{count} passes"),
    Verdict.FAILS: N_("{count} fails"),
    Verdict.DOUBTFUL: N_("{count} doubtful"),
    Verdict.NOT_OBSERVABLE: N_("{count} not observable from outside"),
}
# In the place of the sample's address.
INVENTED = N_("an invented endpoint; simulated data, not 88Pay")
_WITHOUT_EFFECTS = (
    "What your endpoint fulfils is not seen from outside: a repeat twice, for instance, or a "
    "rejected order. Give --effects URL (effects= in Python), your own count of fulfilments, and "
    "it is judged."
)


@dataclass(frozen=True)
class Result:
    """One probe and what became of it.

    ``reference`` is that of its invented transaction: look for it in your own log.
    ``observed`` has the endpoint's own words, on one line and without secrets; escape them.
    ``follows`` names the failing probe from which this finding follows, if there is one.
    ``slowest_ms`` is the time of its slowest answer in milliseconds.
    ``said`` is ``observed`` with the kit's sentences apart, None where there are none: so it can be
    shown in another language. All else is English, which is translated where it is shown.
    """

    probe: str
    reference: str | None
    verdict: Verdict
    sent: str
    expected: str
    observed: str
    why: str
    fix: str
    basis: str
    documented: bool
    follows: str | None
    slowest_ms: int | None
    said: Said | None = None

    @property
    def came_back(self) -> str:
        """What was observed, in the language of this process."""
        return self.said.shown() if self.said else self.observed

    def record(self) -> dict[str, Any]:
        """The result as JSON's types."""
        said = self.said and self.said.record()
        return asdict(self) | {"verdict": str(self.verdict), "said": said}


@dataclass(frozen=True)
class Table:
    """A part of a check, as text and as HTML; everything in it is escaped."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        return as_text(self.title, ((row[0], " · ".join(row[1:])) for row in self.rows))

    def _repr_html_(self) -> str:
        return grid_html(self.title, self.header, self.rows)


@dataclass(frozen=True, repr=False)
class EndpointCheck(Shown):
    """The results of one check. ``url`` is without its query; ``at`` is ISO 8601, in UTC."""

    url: str
    at: str
    seed: int
    effects: bool
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether no probe fails; doubtful ones do not count."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """Every probe that fails."""
        return tuple(r for r in self.results if r.verdict is Verdict.FAILS)

    @property
    def faults(self) -> tuple[Result, ...]:
        """The failures that do not follow from another one: what is to be mended first."""
        return tuple(r for r in self.failures if r.follows is None)

    def __getitem__(self, probe: str) -> Result:
        """The result of one probe, by its name."""
        for result in self.results:
            if result.probe == probe:
                return result
        raise KeyError(probe)

    def frame(self) -> pd.DataFrame:
        """One row for each probe.

        Raises:
            MissingExtra: without the extra ``frames``.
        """
        return to_frame([result.record() for result in self.results]).drop(columns="said")

    def record(self) -> dict[str, Any]:
        """The check as JSON's types."""
        return {
            "what": "pay88 webhook check",
            "url": self.url,
            "at": self.at,
            "seed": self.seed,
            "effects": self.effects,
            "ok": self.ok,
            "summary": {str(verdict): self._count(verdict) for verdict in Verdict},
            "faults": [result.probe for result in self.faults],
            "results": [result.record() for result in self.results],
        }

    def json(self) -> str:
        """The check as a JSON document; :func:`read` takes it back."""
        return json.dumps(self.record(), indent=2, ensure_ascii=False) + "\n"

    def junit(self) -> str:
        """The check as JUnit XML: what fails is a failure, what was not observable is skipped."""
        suite = ElementTree.Element(
            "testsuite",
            name="pay88 webhook check",
            timestamp=self.at.removesuffix("Z"),
            tests=str(len(self.results)),
            failures=str(self._count(Verdict.FAILS)),
            errors="0",
            skipped=str(self._count(Verdict.NOT_OBSERVABLE)),
        )
        for result in self.results:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname="pay88.webhook",
                name=result.probe,
                time=f"{(result.slowest_ms or 0) / 1000:.3f}",
            )
            if result.verdict is Verdict.FAILS:
                failure = ElementTree.SubElement(case, "failure", message=result.observed)
                failure.text = "\n".join(_explained(result))
            elif result.verdict is Verdict.NOT_OBSERVABLE:
                ElementTree.SubElement(case, "skipped", message=result.observed)
            elif result.verdict is Verdict.DOUBTFUL:
                out = ElementTree.SubElement(case, "system-out")
                out.text = "\n".join(_explained(result))
        suites = ElementTree.Element("testsuites")
        suites.append(suite)
        ElementTree.indent(suites)
        document = ElementTree.tostring(suites, encoding="unicode")
        return f'<?xml version="1.0" encoding="utf-8"?>\n{document}\n'

    def text(self) -> str:
        """The check for a terminal: a table, then the cause and the cure of what does not pass."""
        return "\n".join(self._lines()) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the JSON document into a file; one that is there is replaced."""
        Path(path).write_text(self.json(), encoding="utf-8", newline="\n")

    def about(self) -> Table:
        """What was judged, when and how."""
        counted = _("counted by the endpoint") if self.effects else _("not seen (no effects URL)")
        rows = [
            (_("endpoint"), _(INVENTED) if self.url == INVENTED else self.url),
            (_("judged at"), self.at),
            (_("seed of the invented transactions"), str(self.seed)),
            (_("fulfilments"), counted),
            (_("result"), self.summary()),
        ]
        return Table(_("Webhook check"), (_("what"), _("value")), tuple(rows))

    def table(self) -> Table:
        """Every probe: what was sent, what was expected, what came back."""
        rows = (
            (r.probe, _(r.verdict), _(r.sent), _(r.expected), r.came_back) for r in self.results
        )
        return Table(_("Every probe"), tuple(map(_, _HEADER)), tuple(rows))

    def advice(self) -> Table:
        """Why it matters and how to mend it, for what fails or is doubtful by itself."""
        rows = ((r.probe, _(r.verdict), _(r.why), _(r.fix), _(r.basis)) for r in self._to_mend())
        return Table(_("What to mend"), tuple(map(_, _ADVICE)), tuple(rows))

    def summary(self) -> str:
        """The check in one line."""
        counted = ((said, self._count(verdict)) for verdict, said in _COUNTED.items())
        counts = ", ".join(_(said, count=count) for said, count in counted if count)
        if self.ok:
            return _("Nothing that 88Pay documents fails: {counts}.", counts=counts)
        names = ", ".join(result.probe for result in self.faults)
        return _("To be mended first: {names}. In all: {counts}.", names=names, counts=counts)

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    def __repr__(self) -> str:
        return f"EndpointCheck({self.url}: {self.summary()})"

    def _repr_html_(self) -> str:
        tables = (self.about(), self.advice(), self.table())
        return "".join(table._repr_html_() for table in tables if table.rows)

    def _title(self) -> str:
        return f"pay88 webhook check: {self.url}, seed {self.seed}"

    def _rows(self) -> list[Row]:
        return [(r.probe, f"{r.verdict}: {r.observed}") for r in self.results]

    def _count(self, verdict: Verdict) -> int:
        return sum(result.verdict is verdict for result in self.results)

    def _to_mend(self) -> list[Result]:
        """What fails or is doubtful; what follows from another finding is mended with it."""
        bad = (Verdict.FAILS, Verdict.DOUBTFUL)
        return [r for r in self.results if r.verdict in bad and r.follows is None]

    def _lines(self) -> Iterator[str]:
        yield self._title()
        names = max(len(result.probe) for result in self.results)
        verdicts = max(len(result.verdict) for result in self.results)
        for result in self.results:
            verdict = result.verdict.upper() if result in self.failures else str(result.verdict)
            yield f"  {verdict:<{verdicts}}  {result.probe:<{names}}  {result.observed}".rstrip()
        for result in self._to_mend():
            yield f"\n{result.probe}: {result.verdict}"
            yield from (f"  {line}" for line in _explained(result))
        for name, count in Counter(r.follows for r in self.results if r.follows).items():
            more = "1 more finding follows" if count == 1 else f"{count} more findings follow"
            yield f"\n{more} from {name}."
        yield f"\n{self.summary()}"
        if not self.effects:
            yield _WITHOUT_EFFECTS


def _explained(result: Result) -> Iterator[str]:
    yield f"sent:      {result.sent}"
    yield f"expected:  {result.expected}"
    yield f"came back: {result.observed}"
    yield f"why:       {result.why}"
    yield f"fix:       {result.fix}"
    yield f"basis:     {result.basis}"
    if result.reference:
        yield f"reference: {result.reference}"


def read(path: str | Path) -> EndpointCheck:
    """A check that was written as JSON.

    Raises:
        WrongUse: the file is not there, or is no such document.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return EndpointCheck(
            url=str(content["url"]),
            at=str(content["at"]),
            seed=int(content["seed"]),
            effects=bool(content["effects"]),
            results=tuple(_results(content["results"])),
        )
    except OSError as error:
        why = error.strerror
        fault = _("results: {file} cannot be read: {why}. Look at its name.", file=path, why=why)
        raise WrongUse(fault) from None
    except (ValueError, TypeError, KeyError):
        fault = _(
            "results: {file} was not written by pay88 webhook check --json. Write it anew.",
            file=path,
        )
        raise WrongUse(fault) from None


def _results(records: Iterable[dict[str, Any]]) -> Iterator[Result]:
    for record in records:
        yield Result(**record | {"verdict": Verdict(record["verdict"]), "said": said_in(record)})


def sample() -> EndpointCheck:
    """A check of an invented endpoint that compares no amounts: simulated, from a file."""
    return read(Path(__file__).with_name("sample.json"))
