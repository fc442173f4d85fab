"""What a report can be asked for: its typed parameters, read from its notebook and checked."""

from __future__ import annotations

import ast
import difflib
import io
import json
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pay88kit import money
from pay88kit.config import Config, looks_secret
from pay88kit.display import one_line
from pay88kit.errors import InvalidRequest, WrongUse
from pay88kit.language import _
from pay88kit.reports.days import ReportError, date_of, zone_of
from pay88kit.reports.profile import check_profile, config_of

# What papermill writes into the notebook: a text, a whole number, yes or no, nothing.
Plain = str | int | bool | float | None

# Days that are counted from now, in the zone of the report.
DAYS_AGO = {"today": 0, "yesterday": 1}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a report, as its ``parameters`` cell declares it.

    Attributes:
        type: ``text``, ``date``, ``whole number``, ``amount``, ``number``, ``yes or no``,
            ``choice``, ``time zone``, ``profile``; ``Python value`` for anything else.
        default: as the notebook writes it; empty when the parameter is required.
        help: the comment behind it.
        choices: of a choice.
    """

    name: str
    type: str
    default: str
    help: str
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return not self.default

    @property
    def value(self) -> Any:
        """The default as a value; None for a required parameter, or one that is computed."""
        try:
            return ast.literal_eval(self.default)
        except (ValueError, SyntaxError):
            return None


# The types of Python that a parameters cell may name, and what they are called here.
_TYPES = {
    "str": "text", "date": "date", "int": "whole number", "Decimal": "amount", "float": "number",
    "bool": "yes or no", "Literal": "choice", "ZoneInfo": "time zone", "Profile": "profile",
}  # fmt: skip


def parameters_of(source: Path) -> list[Parameter]:
    """The parameters of a notebook, in its order; nothing of the notebook is run.

    Raises:
        ReportError: the file is no notebook, or has no readable cell with the tag ``parameters``.
    """
    return _declared(_parameters_cell(source), source.name)


def checked(
    report: str,
    parameters: list[Parameter],
    given: Mapping[str, Any],
    now: Callable[[], datetime],
) -> dict[str, Plain]:
    """What was given as values of the parameters' types; those left out keep their defaults.

    A date may be ``today`` or ``yesterday``, as a calendar in the report's zone counts it.

    Raises:
        ReportError: with every fault: unknown, missing, of the wrong type, a secret, a day that
            has not begun, or a range whose end lies before its start.
    """
    known = {parameter.name: parameter for parameter in parameters}
    faults = [_unknown(report, name, list(known)) for name in given if name not in known]
    faults += [
        _("{name}: is missing, and has no default. It is: {what}. Add {name}=…", **_about(p))
        for p in parameters
        if p.required and p.name not in given
    ]
    values: dict[str, Plain] = {}
    # A profile that is the notebook's own is looked up too: what is read is masked from then on.
    profiles = {p.name: p.value for p in parameters if p.type == "profile" and p.value}
    for name, said in {**profiles, **given}.items():
        if name in known:
            try:
                values[name] = _value(known[name], said)
            except WrongUse as error:
                faults.append(f"{name}: {error}")
    values = {name: value for name, value in values.items() if name in given}
    if not faults:
        faults = _check_days(known, values, now)
    if faults:
        raise ReportError("\n".join(faults))
    return values


# ---------------------------------------------------------------- the notebook's declaration


def _parameters_cell(source: Path) -> str:
    try:
        cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            if "parameters" in cell["metadata"].get("tags", []):
                return "".join(cell["source"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ReportError(
            f"report {str(source)!r}: this is no notebook that can be read."
        ) from None
    raise ReportError(
        f"report {str(source)!r}: has no parameters. Give the tag parameters to the cell that sets "
        f"them (in JupyterLab: the gears at the right, Cell Tags)."
    )


def _declared(cell: str, name: str) -> list[Parameter]:
    try:
        statements = ast.parse(cell).body
    except SyntaxError:
        raise ReportError(
            f"report {name}: its parameters cell is not plain Python. Write lines such as "
            f'day: "date" = "2026-01-15"  # the day'
        ) from None
    comments = _comments(cell)
    found = []
    target: ast.expr
    written: ast.expr | None
    for statement in statements:
        if isinstance(statement, ast.AnnAssign):
            target, written, value = statement.target, statement.annotation, statement.value
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, written, value = statement.targets[0], None, statement.value
        else:
            continue
        if not isinstance(target, ast.Name):
            continue
        default = "" if value is None or _is_dots(value) else ast.unparse(value)
        kind, choices = _kind(written, value)
        help_ = comments.get(statement.end_lineno or 0, "")
        found.append(Parameter(target.id, kind, default.replace("'", '"'), help_, choices))
    return found


def _is_dots(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is ...


def _comments(cell: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(cell).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _kind(annotation: ast.expr | None, value: ast.expr | None) -> tuple[str, tuple[str, ...]]:
    """The type that is written, or else that of the default."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        # In quotes, so that the notebook need not import it.
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return "Python value", ()
    if isinstance(annotation, ast.Subscript):
        if ast.unparse(annotation.value).endswith("Literal"):
            inner = annotation.slice
            items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return "choice", tuple(
                str(item.value) for item in items if isinstance(item, ast.Constant)
            )
        return "Python value", ()
    if annotation is not None:
        return _TYPES.get(ast.unparse(annotation).rpartition(".")[2], "Python value"), ()
    default = value.value if isinstance(value, ast.Constant) else value
    if default is None:
        return "text", ()
    return _TYPES.get(type(default).__name__, "Python value"), ()


# ---------------------------------------------------------------- what was given


def _unknown(report: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    meant = f" Did you mean {near[0]}?" if near else ""
    takes = f"It takes: {', '.join(known)}." if known else "It takes none."
    return f"{one_line(name)[:80]}: no parameter of {report}.{meant} {takes}"


def _value(parameter: Parameter, given: Any) -> Plain:
    """The value in the parameter's type.

    Raises:
        WrongUse: it is not of this type, with the cure.
    """
    if looks_secret(str(given)):
        raise WrongUse(
            _(
                "this looks like a secret, and a report keeps its parameters. Set it as a "
                "variable such as PAY88_API_KEY; of several merchants, with profile=NAME as "
                "NAME_PAY88_API_KEY."
            )
        )
    if any("\ud800" <= char <= "\udfff" for char in str(given)):
        raise WrongUse(_("has characters that no file can hold. Type it again."))
    if given is None or given == "":
        if parameter.value == given or parameter.default == "None":
            return None if parameter.default == "None" else ""
        raise WrongUse(_("is empty. It is: {what}.", **_about(parameter)))
    if parameter.type == "choice":
        if str(given) not in parameter.choices:
            choices = ", ".join(parameter.choices)
            near = difflib.get_close_matches(str(given), parameter.choices, 1)
            meant = " " + _("Did you mean {name}?", name=near[0]) if near else ""
            fault = _("{given} is none of {choices}.", given=_shown(given), choices=choices)
            raise WrongUse(fault + meant)
        return str(given)
    return _READERS[parameter.type](given)


def _about(parameter: Parameter) -> dict[str, str]:
    return {"name": parameter.name, "what": _(parameter.help or parameter.type)}


def _text(given: Any) -> Plain:
    return str(given)


def _whole(given: Any) -> Plain:
    if isinstance(given, bool) or not re.fullmatch(r"[+-]?[0-9]{1,18}", str(given), re.ASCII):
        raise WrongUse(
            _("{given} is no whole number. Write digits only, such as 30.", given=_shown(given))
        )
    return int(given)


def _amount(given: Any) -> Plain:
    try:
        return money.to_text(money.exact(given))
    except InvalidRequest as error:
        problem = error.problems[0]
        raise WrongUse(f"{problem.fault} {problem.cure}") from None


def _number(given: Any) -> Plain:
    if isinstance(given, bool) or not re.fullmatch(
        r"-?\d{1,15}(\.\d{1,15})?", str(given), re.ASCII
    ):
        raise WrongUse(_("{given} is no number. Write it as 12.5.", given=_shown(given)))
    return float(given)


def _yes_or_no(given: Any) -> Plain:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    try:
        return words[str(given).lower()]
    except KeyError:
        fault = _("{given} is neither yes nor no. Write yes or no.", given=_shown(given))
        raise WrongUse(fault) from None


def _date(given: Any) -> Plain:
    if str(given) in DAYS_AGO:
        return str(given)
    return date_of(str(given)).isoformat()


def _zone(given: Any) -> Plain:
    return zone_of("", str(given)).key


def _profile(given: Any) -> Plain:
    check_profile(str(given))
    return str(given)


def _python(given: Any) -> Plain:
    try:
        value = ast.literal_eval(given) if isinstance(given, str) else given
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise WrongUse(
            f'{_shown(given)} is no value of Python, such as [1, 2] or "text".'
        ) from None
    try:
        # As a notebook keeps it: of lists, texts and numbers.
        return json.loads(json.dumps(value, allow_nan=False))  # type: ignore[no-any-return]
    except (TypeError, ValueError, RecursionError):
        raise WrongUse(
            f"{_shown(given)} cannot be kept in a notebook. "
            f'Use texts, numbers, and lists of them, such as [1, 2] or "text".'
        ) from None


_READERS: dict[str, Callable[[Any], Plain]] = {
    "text": _text, "date": _date, "whole number": _whole, "amount": _amount, "number": _number,
    "yes or no": _yes_or_no, "time zone": _zone, "profile": _profile, "Python value": _python,
}  # fmt: skip


def _shown(given: Any) -> str:
    return repr(given if isinstance(given, bool | int | float | Decimal) else str(given)[:40])


def _check_days(
    known: Mapping[str, Parameter], values: dict[str, Plain], now: Callable[[], datetime]
) -> list[str]:
    """What is wrong with the days; ``today`` and ``yesterday`` become dates in ``values``."""
    named = [name for name in values if known[name].type == "date" and values[name]]
    if not named:
        return []
    effective = {name: p.value for name, p in known.items()} | values
    zone = _zone_for(effective)
    today = now().astimezone(zone).date()
    faults = []
    for name in named:
        said = str(values[name])
        if said in DAYS_AGO:
            values[name] = effective[name] = (today - timedelta(DAYS_AGO[said])).isoformat()
        elif date.fromisoformat(said) > today:
            faults.append(
                _(
                    "{name}: {said} has not begun yet: in {zone} it is {today}. Use that day or "
                    "an earlier one.",
                    name=name,
                    said=said,
                    zone=zone.key,
                    today=today,
                )
            )
    first, last = effective.get("first_day"), effective.get("last_day")
    if not faults and first and last and str(last) < str(first):
        faults.append(
            _(
                "last_day: {last} lies before first_day, {first}: the range is empty. Both days "
                "are included; exchange them, or give another one.",
                last=last,
                first=first,
            )
        )
    return faults


def _zone_for(values: Mapping[str, Any]) -> ZoneInfo:
    """The zone in which a report with these values cuts its days."""
    merchant_id = str(values.get("merchant_id") or "")
    timezone = str(values.get("timezone") or "")
    if not (merchant_id or timezone) and "merchant_id" in values:
        merchant_id = _configured(str(values.get("profile") or ""))
    return zone_of(merchant_id, timezone)


def _configured(profile: str) -> str:
    config: Config = config_of(profile)
    return config.merchant_id or ""
