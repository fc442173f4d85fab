"""Ports of this machine differ from run to run, so what a notebook saves does not show them."""

from __future__ import annotations

import re

NOTE = (
    "PORT stands for a number that differs from run to run. What you print, or copy in the "
    "console, has it."
)
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")


def without_ports(text: str) -> str:
    """The text with the word PORT for each port of this machine."""
    return _PORT.sub("PORT", text)
