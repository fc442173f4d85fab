"""What papermill's entry point names: papermill loads it while it is being imported itself."""

from __future__ import annotations

from typing import Any


class ForkEngine:
    """The engine ``pay88-fork`` for papermill; see :mod:`pay88kit.reports.engine.fork`."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Run a notebook, as papermill asks its engines to."""
        return _engine().execute_notebook(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> Any:
        """Which kernel a notebook wants."""
        return _engine().nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> Any:
        """Which language a notebook is in."""
        return _engine().nb_language(nb, language)


def _engine() -> Any:
    # Only now: the engine needs papermill whole.
    from pay88kit.reports.engine.fork import ForkEngine as Engine

    return Engine
