"""Explore: forms, copies run as programs of their own, and the console without a browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay88kit import Config, ConfigError, InvalidRequest, Sandbox, money
from pay88kit.guide.explore import OPERATIONS, Exchange, Explorer
from pay88kit.guide.explore.console import RAW
from pay88kit.guide.explore.form import form
from pay88kit.guide.explore.history import MOST, History
from pay88kit.guide.explore.snippets import Request, curl, javascript, pretty, python, target
from pay88kit.models.methods import METHODS
from pay88kit.models.requests import REQUESTS, check

HOSTILE = (
    "O'Hara `id` $(id) ${x} %s {y} \\\" \"\"\" ''' </pre><img src=x onerror=alert(1)>\u202e ñ 😀"
)
PROGRAMS = {
    "python": [sys.executable, "-"],
    "curl": ["sh"],
    "javascript": ["node", "-"],
}


@pytest.fixture
def explore() -> Iterator[Explorer]:
    with Sandbox(seed=5) as sandbox, Explorer(sandbox.config) as explore:
        yield explore


def run(explore: Explorer, exchange: Exchange, language: str) -> str:
    """Run a copy as its reader would: with nothing but the two variables."""
    command = PROGRAMS[language]
    if shutil.which(command[0]) is None or (language == "curl" and not shutil.which("curl")):
        pytest.skip(f"{command[0]} or curl is missing here")
    kept = ("PATH", "SYSTEMROOT")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    done = subprocess.run(
        command,
        input=getattr(exchange, language),
        env=env | {name: str(value) for name, value in explore.environment().items()},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---------------------------------------------------------------- the form


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_form_has_the_fields_of_the_request_model(operation: str) -> None:
    names = dict.fromkeys(field.name.partition(".")[0] for field in form(operation))
    assert list(names) == list(REQUESTS[operation].model_fields)
    assert all(field.help for field in form(operation))


@pytest.mark.parametrize("code", METHODS)
def test_the_method_decides_the_rest_and_the_form_can_be_sent(code: str) -> None:
    made = form("charge", {"method_code": code})
    method = METHODS[code]
    assert made["method_category"].value == method.category
    assert (made["return_url"].value is not None) == method.redirects
    assert made["return_url"].fixed != method.redirects
    for country in made["country"].choices:
        assert method.available_in(country)
        there = form("charge", {"method_code": code, "country": country})
        assert there["currency"].choices == method.currencies_in(country)
        for currency in there["currency"].choices:
            chosen = {"method_code": code, "country": country, "currency": currency}
            # With its own values every form is one that 88Pay's documented rules accept.
            check("charge", form("charge", chosen).body(), loopback=True)


def test_help_tells_the_documented_limits() -> None:
    told = form("charge", {"method_code": "CARDS", "country": "MEX"})["amount"].help
    assert "20 to 100,000 MXN" in told
    assert "no limit in BRL" in form("charge", {"method_code": "CARDS", "country": "BRA"})[
        "amount"
    ].help  # fmt: skip
    assert "no limit" in form("cashout")["amount"].help


def test_what_is_given_stands_and_none_leaves_out() -> None:
    made = form("charge", {"amount": "1.10", "customer_id": None, "tip": 3})
    assert made.body()["amount"] == "1.10"
    assert "customer_id" not in made.body()
    # A name that the model does not have is the kit's to refuse.
    assert made.body()["tip"] == 3


def test_unknown_operation_names_the_known_ones(explore: Explorer) -> None:
    with pytest.raises(InvalidRequest, match="charge, cash, cashout, balance"):
        explore.send("refund")


# ---------------------------------------------------------------- both sides


@pytest.mark.parametrize("operation", ["token", "charge", "cash", "balance"])
def test_each_form_can_be_sent_as_it_is(explore: Explorer, operation: str) -> None:
    exchange = explore.send(operation)
    assert exchange.error is None
    assert exchange.status == 200
    assert len(exchange.to_frame()) == 1
    assert list(explore.history) == [exchange]


def test_a_cashout_needs_funds(explore: Explorer) -> None:
    assert explore.send("cashout").status == 422
    explore.send("charge", amount=200_000)
    explore.play("complete")
    assert explore.send("cashout").reference


def test_json_has_what_left_and_what_came_exactly(explore: Explorer) -> None:
    exchange = explore.send("charge", amount="1250.50")
    both = money.loads(exchange.json)
    assert both["request"]["body"]["amount"] == Decimal("1250.50")
    assert '"amount": 1250.50' in exchange.json
    assert both["answer"]["body"]["data"]["reference"] == exchange.reference
    # What left has the kit's marker; a copy is another operation.
    assert "pay88_operation=" in both["request"]["body"]["notification_url"]
    assert "pay88_operation=" not in exchange.python + exchange.curl + exchange.javascript


def test_errors_are_the_kits_messages(explore: Explorer) -> None:
    exchange = explore.send("charge", method_code="OXXO", amount="50.000", customer_id=None)
    assert exchange.status is None
    assert exchange.python == exchange.curl == exchange.javascript == ""
    assert exchange.to_frame().empty
    for shown in (repr(exchange), exchange._repr_html_()):
        assert "InvalidRequest" in shown
        assert "which marks decimals" in shown
        assert "customer_id: is missing." in shown
        assert "Traceback" not in shown
    unchecked = explore.send("charge", check=False, amount="many")
    assert unchecked.status == 400
    assert "BadRequest" in repr(unchecked)


@pytest.mark.parametrize("value", [1.5, {1, 2}, [{"amount": 0.1}]])
def test_raw_refuses_what_cannot_be_sent_exactly(explore: Explorer, value: Any) -> None:
    exchange = explore.raw("POST", "/api/transactions/charges", json=value)
    assert isinstance(exchange.error, InvalidRequest)
    assert exchange.calls == ()


def test_raw_sends_anything(explore: Explorer) -> None:
    exchange = explore.raw("post", "/api/balance", params={"id": "MCH-COL-ANOTHER"})
    assert exchange.status == 403
    assert explore.raw("PUT", "/api/a b'$(id)").status == 404
    assert isinstance(explore.raw("GET / HTTP", "/x").error, InvalidRequest)


def test_a_lost_answer_is_told_and_not_sent_again(explore: Explorer) -> None:
    assert explore.sandbox is not None
    explore.send("token")
    explore.sandbox.fault("charges", "drop_after")
    exchange = explore.send("charge")
    assert [str(call) for call in exchange.calls] == ["POST /api/transactions/charges → no answer"]
    assert "Do not send it again" in repr(exchange)
    assert len(explore.sandbox.transactions()) == 1


def test_nothing_shown_differs_from_run_to_run() -> None:
    def shown() -> list[str]:
        with Sandbox(seed=5) as sandbox, Explorer(sandbox.config) as explore:
            made: list[Any] = [explore.form("charge"), explore.send("charge", method_code="CARDS")]
            explore.play("complete", after=60)
            made += [explore.send("balance"), explore.history]
            return [text for each in made for text in (repr(each), each._repr_html_())]

    first = shown()
    assert first == shown()
    assert not any(re.search(r"127\.0\.0\.1:\d", text) for text in first)
    assert any("127.0.0.1:PORT" in text for text in first)


def test_no_secret_is_shown_or_copied(explore: Explorer) -> None:
    config = explore.client.config
    explore.send("token")
    token = explore.client.token()
    # Whoever writes the own key into a field does not find it in the copies either.
    made = [
        explore.send("token"),
        explore.send("charge", description=f"key {config.api_key!s}"),
        explore.raw("POST", "/api/balance", params={"id": str(token.access_token)}),
    ]
    texts = [repr(explore.environment()), repr(explore.history), explore.history._repr_html_()]
    for each in made:
        texts += [repr(each), each._repr_html_(), each.html(), each.python, each.curl]
        texts += [each.javascript, each.json, each.title]
    secrets = [config.api_key, config.webhook_secret, token.access_token, token.session_id]
    for secret in secrets:
        assert secret is not None
        assert not [text for text in texts if str(secret) in text]


def test_hostile_text_stays_text(explore: Explorer) -> None:
    exchange = explore.send("charge", customer_id=HOSTILE, description=HOSTILE)
    refused = explore.send("charge", method_code=HOSTILE, **{"<i>": 1})
    odd = explore.raw("POST", f"/{HOSTILE}")
    for each in (exchange, refused, odd):
        for page in (each.html(), each._repr_html_()):
            assert "<img" not in page
            assert "<i>" not in page
            assert "\u202e" not in page
        assert "\u202e" not in repr(each)
    assert "<img" not in explore.history._repr_html_()
    assert "<img" not in explore.form("charge", description=HOSTILE)._repr_html_()


def test_history_keeps_the_last(explore: Explorer) -> None:
    history = History()
    exchange = explore.send("token")
    for _ in range(MOST + 3):
        history.add(exchange)
    assert len(history) == MOST
    assert history.next_number() == MOST + 4
    assert list(explore.history.frame()["status"]) == [200]


# ---------------------------------------------------------------- the copies


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_copy_makes_the_same_transaction(explore: Explorer, language: str) -> None:
    assert explore.sandbox is not None
    exchange = explore.send(
        "charge", amount="9007199254740993.01", method_code="SPEI", description=HOSTILE,
        customer_id="'; exit 1 #", extra={"note": HOSTILE},
    )  # fmt: skip
    assert exchange.error is None
    printed = run(explore, exchange, language)
    first, second = explore.sandbox.transactions()
    assert first["reference"] == exchange.reference
    assert second["reference"] in printed
    same = ("amount", "currency", "country", "method_code", "description", "customer_id")
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    assert money.exact(second["amount"]) == Decimal("9007199254740993.01")


@pytest.mark.parametrize("language", PROGRAMS)
def test_copies_of_reads_and_of_anything_run_too(explore: Explorer, language: str) -> None:
    assert "Token generated successfully" in run(explore, explore.send("token"), language)
    assert "total_available" in run(explore, explore.send("balance"), language)
    odd = explore.raw("PATCH", "/api/no'such $(path)`\"", params={"a": HOSTILE}, json=[HOSTILE])
    assert '"code": 404' in run(explore, odd, language)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text()
        | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20),
                      max_value=10**20, places=2),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)  # fmt: skip
def test_no_text_leaves_its_quotes(body: Any) -> None:
    written = pretty(body)
    assert written.isascii()
    assert money.loads(written) == money.loads(money.dumps(body))
    assert '"""' not in written
    asked = Request("http://127.0.0.1:1", "POST", "/x", body)
    if body is not None:
        raw = re.search(r'body = r"""\n(.*?)\n"""\n', python(asked), re.DOTALL)
        shell = re.search(r"--data-binary '([^']*)' <<END", curl(asked))
        script = re.search(r"String\.raw`([^`]*)`;", javascript(asked))
        for found in (raw, shell, script):
            assert found is not None
            assert money.loads(found[1]) == money.loads(written)
        assert script is not None
        assert "${" not in script[1]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_path_has_nothing_that_means_something_to_a_program(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9/?&=%:,;@+\-._~]*", target(text, {"q": text}))


# ---------------------------------------------------------------- elsewhere


def test_production_is_refused() -> None:
    config = Config(
        environment="production", api_key="sk_live_" + "x" * 24, merchant_id="MCH-COL-1"
    )
    with pytest.raises(ConfigError, match="production is refused"):
        Explorer(config)


def test_another_sandbox_that_cannot_be_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_BOOKS", "sqlite://")
    with Sandbox(control=False) as sandbox, sandbox.serve() as address:
        own = sandbox.config
        config = Config(
            environment="sandbox", base_url=address, api_key=own.api_key,
            merchant_id=own.merchant_id,
        )  # fmt: skip
        with Explorer(config) as explore:
            exchange = explore.send("charge", method_code="CARDS")
            assert exchange.reference
            assert f'"{address}"' in exchange.python
            assert "its webhook brings" in explore.play("complete")
            assert explore.notifications().empty
            console = explore.console()
            assert console.buttons == {}
            console.send.click()
            assert explore.history[-1].reference


# ---------------------------------------------------------------- the console


def test_the_console_sends_its_form(explore: Explorer) -> None:
    console = explore.console()
    console.inputs["amount"].value = "1250.50"
    console.send.click()
    (exchange,) = explore.history
    assert f'"reference": "{exchange.reference}"'.replace('"', "&quot;") in console.result.value
    for name in ("Python", "cURL", "JavaScript", "JSON"):
        assert f'aria-label="Copy {name}"' in console.result.value
    # What is copied has the ports.
    assert explore.address in console.result.value
    assert "1250.50" in console.table.value
    console.buttons["60 s later"].click()
    assert "12:01:00 UTC" in console.clock.value
    console.buttons["Decline it"].click()
    assert f"{exchange.reference}: REJECTED" in console.clock.value
    console.buttons["Pay it"].click()
    assert "final" in console.clock.value


def test_the_consoles_method_decides_and_typed_text_stays(explore: Explorer) -> None:
    console = explore.console()
    console.inputs["description"].value = "My own"
    console.inputs["method_code"].value = "CARDS"
    console.inputs["country"].value = "MEX"
    values = {name: widget.value for name, widget in console.inputs.items()}
    assert values["currency"] == "MXN"
    assert values["amount"] == "500"
    assert values["description"] == "My own"
    assert values["return_url"]
    assert not console.inputs["return_url"].disabled
    assert console.inputs["currency"].options == ("MXN",)
    console.inputs["amount"].value = "77.70"
    console.inputs["method_code"].value = "PSE"
    assert console.inputs["amount"].value == "77.70"
    assert console.inputs["country"].value == "COL"
    assert console.inputs["return_url"].disabled
    assert console.inputs["return_url"].value == ""
    console.send.click()
    assert explore.history[-1].error is None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_has_its_form(explore: Explorer, operation: str) -> None:
    console = explore.console()
    console.operation.value = operation
    console.send.click()
    assert explore.history[-1].operation == operation
    assert explore.history[-1].status == (422 if operation == "cashout" else 200)


def test_raw_in_the_console(explore: Explorer) -> None:
    console = explore.console()
    console.operation.value = RAW
    console.send.click()
    assert explore.history[-1].status == 200
    console.body.value = "{not json"
    console.send.click()
    assert len(explore.history) == 1
    assert "JSON body: is not JSON." in console.result.value
    console.path.value, console.body.value = "/api/transactions/charges", '{"amount": 1250.50}'
    console.send.click()
    assert '"amount": 1250.50' in explore.history[-1].python


def test_an_amount_is_never_a_float(explore: Explorer) -> None:
    console = explore.console()
    console.check.value = False
    console.inputs["amount"].value = "9007199254740993.01"
    console.send.click()
    assert '"amount": 9007199254740993.01' in explore.history[-1].json
    console.inputs["amount"].value = "1,000"
    console.send.click()
    # As it was typed: what becomes of it is the question.
    assert '"amount": "1,000"' in explore.history[-1].json
    console.check.value = True
    console.send.click()
    assert "is not a plain decimal number" in console.result.value


def test_an_earlier_exchange_can_be_looked_at_again(explore: Explorer) -> None:
    console = explore.console()
    console.send.click()
    console.operation.value = "balance"
    console.send.click()
    assert "Exchange 2" in console.result.value
    console.past.value = explore.history[0]
    assert "Exchange 1" in console.result.value


def test_hostile_text_in_the_console(explore: Explorer) -> None:
    console = explore.console()
    console.inputs["description"].value = HOSTILE
    console.inputs["customer_id"].value = HOSTILE
    console.send.click()
    console.past.value = explore.history[0]
    for page in (console.result, console.table, console.clock, console.story):
        assert "<img" not in page.value
        assert "\u202e" not in page.value


def test_nothing_is_sent_by_itself_and_no_secret_stands_in_a_widget(explore: Explorer) -> None:
    console = explore.console()
    assert len(explore.history) == 0
    for operation in (*OPERATIONS, RAW):
        console.operation.value = operation
        console.send.click()
        states = "".join(str(widget.get_state()) for widget in widgets_of(console.box))
        assert f"Exchange {len(explore.history)}" in states
        for secret in (explore.client.config.api_key, explore.client.config.webhook_secret):
            assert str(secret) not in states


def widgets_of(widget: Any) -> Iterator[Any]:
    """The widget and all in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_of(child)


def test_the_console_as_text(explore: Explorer) -> None:
    console = explore.console()
    assert 'explore.send("charge", …)' in str(console)
    assert console._repr_mimebundle_()["text/plain"] == str(console)
