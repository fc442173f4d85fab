"""What a report is about, as the command line says it: one report, or many."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pay88kit.cli.words import pair
from pay88kit.errors import WrongUse, needs

OUT = "reports-out"


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """The options that say what a report is about, and where its files go."""
    parser.add_argument(
        "-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE", type=pair,
        help="a parameter of the report; never a secret, because it is stored. A date may be "
        "today or yesterday",
    )  # fmt: skip
    parser.add_argument(
        "-y", dest="file", metavar="FILE",
        help="a YAML file with parameters, a line NAME: VALUE for each; -p goes before it",
    )  # fmt: skip
    parser.add_argument(
        "--out", default=OUT, metavar="DIR", help=f"the folder for its files (default: {OUT})"
    )


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The parameters of the command line.

    Raises:
        WrongUse: the file of ``-y`` cannot be read as parameters.
    """
    return (_from_file(args.file) if args.file else {}) | dict(args.parameters)


def _from_file(name: str) -> dict[str, Any]:
    with needs("reports"):
        import yaml
    try:
        # Its plainest reading: no float for an amount, no object of a stranger's.
        values = yaml.load(Path(name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    except OSError as error:
        raise WrongUse(f"-y: {name} cannot be read: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError):
        raise WrongUse(f"-y: {name} is no YAML. Write a line NAME: VALUE for each.") from None
    if values in (None, ""):
        return {}
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise WrongUse(f"-y: {name} holds more than parameters. Write a line NAME: VALUE for each.")
    return values
