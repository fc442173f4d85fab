"""The few helpers that a lesson's cells call."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pay88kit.config import Config
from pay88kit.errors import ConfigError, needs


def lesson_config() -> Config:
    """The configuration of a lesson: as ``Config()``, but never production.

    Raises:
        ConfigError: the environment is production.
    """
    config = Config()
    if config.environment == "production":
        raise ConfigError(
            "environment: lessons create charges and payouts, so they refuse production. "
            "Unset PAY88_ENVIRONMENT, or set it to sandbox."
        )
    return config


class Expected:
    """An error that a lesson wanted to show."""

    def __init__(self, error: BaseException) -> None:
        self._kind = type(error).__name__
        self._lines = str(error).splitlines()

    def __repr__(self) -> str:
        return "\n".join([self._kind, *(f"  {line}" for line in self._lines)])

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._lines)
        style = "border-left:4px solid #b91c1c;padding:.2em .8em;margin:.3em 0"
        return f'<div style="{style}"><b>{html.escape(self._kind)}</b><br>{lines}</div>'


@contextmanager
def expect(kind: type[BaseException]) -> Iterator[None]:
    """Show the error that the block raises, as you would meet it; fail if it does not come."""
    with needs("guide"):
        from IPython.display import display
    try:
        yield
    except kind as error:
        display(Expected(error))  # type: ignore[no-untyped-call]
    else:
        raise AssertionError(f"{kind.__name__} was expected here, and nothing went wrong.")


class Chart:
    """A matplotlib figure with words for those who cannot see it."""

    def __init__(self, figure: Any, alt: str) -> None:
        self._figure = figure
        self.alt = alt

    def __repr__(self) -> str:
        return f"Chart: {self.alt}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        import base64
        import io

        picture = io.BytesIO()
        self._figure.savefig(picture, format="png", dpi=110, bbox_inches="tight")
        data = base64.b64encode(picture.getvalue()).decode()
        return {"image/png": data, "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}


def chart(figure: Any, *, alt: str) -> Chart:
    """Show a matplotlib figure; ``alt`` says what is to be seen in it."""
    with needs("reports"):
        import matplotlib.pyplot as plt
    # Otherwise the notebook shows the figure a second time, without its words.
    plt.close(figure)
    return Chart(figure, alt)
