"""What a Spanish report says of days that the sample day does not have, and in its charts."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from test_reconcile import Play

from pay88kit import Books, Pay88, Sandbox, reports
from pay88kit.balance import reconcile
from pay88kit.balance.reconciliation import PENDING

WHOSE = "MCH-COL-29ZTP4"
NOON = datetime(2026, 1, 15, 17, tzinfo=UTC)
DAY = reports.day_of(WHOSE, "2026-01-15")
DAYS = reports.days_of(WHOSE, "2026-01-15", "2026-01-16")


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    reports.speak("en")


def sentences(shown: str) -> set[str]:
    """Texts of two words and more, without what stands in quotation marks of a program."""
    parts = (" ".join(html.unescape(part).split()) for part in re.split(r"<[^>]*>|: |; ", shown))
    return {part for part in parts if re.search(r"[a-z]{2,} [a-z]{2,}", part)}


def in_both(say: Callable[[], Any]) -> tuple[str, str]:
    """What is said in English and in Spanish; no sentence is in both."""
    both = []
    for language in ("en", "es"):
        reports.speak(language)
        said = say()
        both.append(said if isinstance(said, str) else said._repr_html_())
    english, spanish = both
    assert sentences(english) & sentences(spanish) == set()
    return english, spanish


def text_of(shown: str) -> str:
    """What a reader sees of some HTML, in one line."""
    return " ".join(re.sub("<[^>]*>", " ", shown).split())


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "operation": "charge", "status": "COMPLETED", "state": "answered", "method_code": "PSE",
        "country": "COL", "currency": "COP", "amount": Decimal("100.10"), "created_at": NOON,
        "updated_at": NOON,
    }  # fmt: skip
    found = pd.DataFrame([usual | row for row in rows], columns=list(usual))
    return found.astype({"created_at": "datetime64[us, UTC]", "updated_at": "datetime64[us, UTC]"})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "Cobros: ninguno. Pagos: ninguno."),
        ([{"status": "PENDING"}], "Cobros: 1, completados 0. Pagos: ninguno."),
        ([{"status": "REJECTED"}], "Cobros: 1, completados 0 (0.00 % de los ya decididos). "),
        ([{}, {"currency": "USD"}], "(100.00 % de los ya decididos), 100.10 COP y 100.10 USD. "),
    ],
)
def test_the_summary_of_transactions(rows: list[dict[str, Any]], said: str) -> None:
    _, spanish = in_both(lambda: reports.Transactions(frame(*rows), DAYS).summary())
    assert said in spanish
    in_both(lambda: reports.Transactions(frame(*rows), DAYS).daily().describe())


def test_what_the_books_know_where_88pay_has_no_status() -> None:
    rows = [{"status": None, "state": state} for state in ("refused", "unknown", "created")]
    _, spanish = in_both(lambda: reports.Transactions(frame(*rows), DAYS).by_status())
    assert "resultado desconocido" in spanish
    # A word that 88Pay or a stranger wrote is theirs, also where the kit has the same one.
    _, spanish = in_both(
        lambda: reports.Transactions(frame({"status": "amount"}), DAYS).by_status()
    )
    assert '<td style="text-align:left">amount</td>' in spanish


@pytest.mark.parametrize("completed", [True, False])
def test_the_charts_have_no_english_word(completed: bool) -> None:
    mpl.use("agg")
    rows = frame({"status": "COMPLETED" if completed else "REJECTED"})

    def words(figure: Any) -> str:
        (axes,) = figure.axes
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        return "; ".join([*texts, axes.get_xlabel(), axes.get_ylabel()])

    _, hours = in_both(lambda: words(reports.by_hour(rows, DAY).plot()))
    assert hours == "cobros (payin); pagos (payout); hora del día, America/Bogota; " + (
        "monto completado, COP" if completed else "monto completado"
    )
    _, daily = in_both(lambda: words(reports.Transactions(rows, DAYS).daily().plot()))
    assert daily == ("completadas; rechazadas; otras; día (mes-día), America/Bogota; operaciones")
    in_both(lambda: reports.by_hour(rows, DAY).describe())


def test_a_day_without_a_balance() -> None:
    sandbox = Sandbox()
    client = Pay88(sandbox.config)
    for day in (14, 18):
        at = datetime(2026, 1, day, 12, tzinfo=UTC)
        client.books.save_balance(client.balance(), environment="local", now=at)
    sandbox.clock.set(datetime(2026, 1, 20, tzinfo=UTC))
    _, spanish = in_both(lambda: reports.balance_of(client, DAY))
    assert "no hay un saldo guardado de ese día; el anterior es del 2026-01-14" in spanish
    in_both(lambda: reports.daily_summary(reports.balance_of(client, DAY), frame()))
    of_the_14th = reports.day_of(WHOSE, "2026-01-14")
    _, spanish = in_both(lambda: reports.balance_of(client, of_the_14th))
    assert "el último saldo guardado de ese día en los libros, 2026-01-14 07:00:00" in spanish


def test_a_gap_is_explained_in_spanish() -> None:
    with closing(Books("sqlite://")) as books:
        play = Play(books)

        def compared() -> Any:
            return reconcile(
                books, play.client.balance(), config=play.config, since=NOON - timedelta(days=9),
                rates={"NEQUI": Decimal("0.01")},
            )  # fmt: skip

        english, spanish = in_both(compared)
        assert "apertura al ninguna: no se compara nada" in text_of(spanish)
        assert "saldo al ahora" in text_of(spanish)
        in_both(lambda: reports.verdict(compared()))

        play.save()
        play.wait(minutes=1)
        for amount in (20_000, 20_000, 35_000):
            play.charge(amount)
        lost = play.charge(70_000)
        play.complete(lost, heard=False)
        play.complete(play.charge(20_000), heard=False)
        play.complete(play.charge(625_000))
        play.cashout(9_000)
        play.lose(40_000, "drop_after", "k-1")
        play.sandbox.charge_fees(1_000, WHOSE)
        play.complete(play.charge(20, method_code="USDT", currency="USD"))

        english, spanish = in_both(compared)
        assert "some of" in english
        assert "un indicio, no una prueba" in spanish
        assert "Partes de la diferencia" in spanish
        _, spanish = in_both(lambda: reports.verdict(compared()))
        assert "no toda la diferencia está identificada" in spanish
        _, figures = in_both(lambda: reports.figures(compared()))
        assert "cobros (payin)" in figures
        assert ">no<" in figures
        # Programs find a part by its one name, whatever is spoken.
        assert PENDING in set(compared().parts["part"])
