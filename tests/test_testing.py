"""The pytest plugin as merchants meet it: pytest runs in pytest, with the plugin installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pay88kit import Pay88, Sandbox, webhooks

ROOT = Path(__file__).resolve().parent.parent
# Plugins of this project's own tests, which take seconds to load.
QUICK = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:nbval", "-p", "no:anyio")
SECTION = "88Pay (simulated)"


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Load what the kit loads late: a run inside this process drops what it loads itself."""
    with Sandbox() as sandbox, Pay88(sandbox.config) as client:
        assert client.token()
        assert client.books is not None
        assert webhooks.sign("sess_1", "1.00", "secret", now=sandbox.clock.now(), nonce=bytes(12))
        with sandbox.serve():
            pass


# What a test needs for a charge.
CHARGE = """
from pay88kit import Pay88

def charge(client, **changes):
    body = dict(
        method_code="PSE", amount=50_000, currency="COP", country="COL",
        description="Order 1001", customer_id="customer-7",
        notification_url="https://shop.example/webhooks/88pay",
    )
    return client.charge(**(body | changes))
"""

# A merchant's own code, as the README's lines expect it.
SHOP = """
from dataclasses import dataclass
from pay88kit import webhooks

SHOPS = []

@dataclass
class Order:
    reference: str
    state: str = "waiting"

class Shop:
    def __init__(self, client, webhook):
        self.client, self.webhook, self.orders = client, webhook, {}
        SHOPS[:] = [self]

    def place_order(self, number, amount):
        charge = self.client.charge(
            key=number, method_code="PSE", amount=amount, currency="COP", country="COL",
            description=f"Order {number}", customer_id="customer-7", notification_url=self.webhook,
        )
        order = self.orders[charge.reference] = Order(charge.reference)
        return order

    def notified(self, body, authorization):
        config = self.client.config
        notification = webhooks.verify(
            body, authorization, config.webhook_secret, now=config.clock.now()
        )
        if notification.status == "COMPLETED":
            self.orders[notification.reference].state = "shipped"
"""
LIVE_SERVER = """
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
import pytest
import shop

@pytest.fixture
def live_server():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            status = 200
            try:
                shop.SHOPS[0].notified(body, self.headers["authorization"])
            except Exception:
                status = 500
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
"""


def section(result: pytest.RunResult) -> str:
    """What a failed test's report shows of the exchange."""
    output = result.stdout.str()
    found = re.search(rf"^-+ {re.escape(SECTION)} -+\n(.*?)(?=^[-=_]{{4}})", output, re.M | re.S)
    assert found, output
    return found[1]


def readme_lines() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(
        r"<!-- in-your-own-tests: begin -->\n```python\n(.*?)```\n<!-- in-your-own-tests: end -->",
        text,
        re.S,
    )
    assert found
    return found[1]


def test_the_lines_of_the_readme_run_with_a_merchants_own_code(pytester: pytest.Pytester) -> None:
    lines = readme_lines()
    assert sum(bool(line.strip()) for line in lines.splitlines()) <= 10
    pytester.makepyfile(shop=SHOP, conftest=LIVE_SERVER, test_shop=lines)
    pytester.runpytest_subprocess(*QUICK, "--strict-markers").assert_outcomes(passed=1)


def test_the_lines_of_the_readme_find_a_broken_webhook(pytester: pytest.Pytester) -> None:
    broken = SHOP.replace('"COMPLETED"', '"completed"')
    pytester.makepyfile(shop=broken, conftest=LIVE_SERVER, test_shop=readme_lines())
    result = pytester.runpytest_subprocess(*QUICK)
    result.assert_outcomes(failed=1)
    shown = section(result)
    assert "POST /api/transactions/charges → 200" in shown
    assert re.search(r"notification 1 of \w{11}, attempt 1 to http://127\S+ → 200 delivered", shown)
    assert '"transaction_status": "COMPLETED"' in shown


def test_the_plugin_loads_nothing_heavy() -> None:
    program = """
import sys
import pytest
before = set(sys.modules)
import pay88kit.testing
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "['pay88kit']\n", done.stdout + done.stderr


def test_without_the_extras_only_the_tests_that_use_them_fail(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import sys

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("cryptography", "joserfc", "sqlalchemy", "starlette"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Missing())
    """)
    pytester.makepyfile("""
        def test_of_somebody_who_only_has_the_kit_installed():
            pass

        def test_token(pay88_client):
            pay88_client.token()
    """)
    result = pytester.runpytest_subprocess(*QUICK)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(['*MissingExtra*pip install "pay88kit?server?"*'])


def test_each_test_begins_anew(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    # A developer's real settings must not reach a test, nor its orders their books.
    monkeypatch.setenv("PAY88_ENVIRONMENT", "production")
    monkeypatch.setenv("PAY88_API_KEY", "sk_live_of-the-developer")
    monkeypatch.setenv("PAY88_BOOKS", f"sqlite:///{pytester.path}/real.db")
    (pytester.path / ".env").write_text(f"PAY88_BOOKS=sqlite:///{pytester.path}/real.db\n")
    pytester.makepyfile(
        CHARGE
        + """
import pytest
from pay88kit import Inbox

@pytest.mark.parametrize("turn", [1, 2])
def test_state(pay88_sandbox, pay88_client, turn):
    assert pay88_client.sandbox is pay88_sandbox
    assert pay88_sandbox.transactions() == []
    assert f"{pay88_sandbox.clock.now():%Y-%m-%dT%H:%M:%S}" == "2026-01-15T12:00:00"
    assert str(pay88_client.config.api_key) == str(__import__("pay88kit").Sandbox().config.api_key)
    charge(pay88_client, key="order-1")
    pay88_sandbox.clock.advance(60)
    assert len(pay88_sandbox.transactions()) == 1
    assert len(pay88_client.books.operations()) == 1
    with Inbox(pay88_client.config) as inbox:
        assert inbox.books is pay88_client.books
"""
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    assert not (pytester.path / "real.db").exists()


def test_a_mark_chooses_another_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        from pay88kit import Sandbox

        @pytest.mark.pay88(seed=7, limits={"token": (1, 2)})
        class TestMarked:
            def test_seed(self, pay88_sandbox):
                assert str(pay88_sandbox.config.api_key) == str(Sandbox(seed=7).config.api_key)

            @pytest.mark.pay88(limits=None, clock="real")
            def test_nearest_wins(self, pay88_sandbox, pay88_client):
                assert not pay88_sandbox.clock.manual
                assert str(pay88_sandbox.config.api_key) == str(Sandbox(seed=7).config.api_key)
                for _ in range(30):
                    pay88_client.token(fresh=True)

        @pytest.mark.pay88(sead=7)
        def test_misspelt(pay88_sandbox):
            pass
    """)
    result = pytester.runpytest_inprocess("--strict-markers")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*pay88: sead is unknown; use seed, limits, clock*"])


def test_the_mark_is_described(pytester: pytest.Pytester) -> None:
    pytester.runpytest_inprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.pay88(seed=88*"])


def test_a_passing_test_says_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_balance(pay88_client): pay88_client.balance()")
    result = pytester.runpytest_inprocess("-rA")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line(f"*{SECTION}*")


def test_a_failing_test_shows_the_exchange_without_secrets(pytester: pytest.Pytester) -> None:
    # The key stands in texts of the merchant's too, as it does when a variable was mixed up.
    pytester.makepyfile(
        CHARGE
        + """
def test_fails(pay88_sandbox, pay88_client):
    config = pay88_client.config
    made = charge(
        pay88_client, description=f"{config.api_key} {config.webhook_secret}", customer_id="Pérez"
    )
    pay88_sandbox.reject(made.reference)
    token = pay88_client.token()
    with open("secrets", "w") as file:
        for secret in (config.api_key, config.webhook_secret, token.access_token, token.session_id):
            print(str(secret), file=file)
    raise AssertionError
"""
    )
    result = pytester.runpytest_inprocess("--showlocals")
    result.assert_outcomes(failed=1)
    shown = section(result)
    assert "POST /api/auth/token → 200" in shown
    assert '"access_token": "…"' in shown
    assert '"amount": 50000' in shown
    assert "Pérez" in shown
    assert "not sent: outside this machine" in shown
    secrets = (pytester.path / "secrets").read_text().split()
    assert len(secrets) == 4
    for secret in secrets:
        assert secret not in result.stdout.str()


def test_text_of_strangers_cannot_fake_or_flood_a_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CHARGE
        + r"""
def test_fails(pay88_sandbox, pay88_client):
    charge(pay88_client, description="\x1b[2J\nPASSED \u202e\x7f", customer_id="x" * 20_000)
    pay88_client.token()
    for number in range(30):
        try:
            pay88_client.request("POST", f"/api/%1B[2J{number}/" + "y" * 5_000)
        except Exception:
            pass
    charge(pay88_client, description="\x1b[2J\nPASSED \u202e\x7f", customer_id="x" * 20_000)
    raise AssertionError
"""
    )
    result = pytester.runpytest_inprocess("--tb=line")
    result.assert_outcomes(failed=1)
    shown = section(result)
    assert "\x1b[2J" not in shown
    assert "\x7f" not in shown
    assert "\u202e" not in shown
    assert "\nPASSED" not in shown
    assert "… 13 earlier calls are not shown." in shown
    assert "POST /api/\\x1b[2J29/yyy" in shown
    lines = shown.splitlines()
    assert len(lines) < 70
    assert max(map(len, lines)) < 500


def test_a_failure_in_another_fixture_shows_the_exchange_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def order(pay88_client):
            pay88_client.balance()
            raise AssertionError

        @pytest.fixture
        def tidy(pay88_sandbox, pay88_client):
            yield
            pay88_client.balance()
            raise AssertionError

        def test_setup(order):
            pass

        def test_teardown(tidy):
            pass
    """)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=2)
    assert result.stdout.str().count("POST /api/balance → 200") == 2


def test_reports_reach_the_person_through_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("turn", range(4))
        def test_balance(pay88_sandbox, pay88_client, turn):
            assert pay88_sandbox.requests() == []
            pay88_client.balance()
            assert turn != 3
    """)
    result = pytester.runpytest_subprocess(*QUICK, "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    assert "POST /api/balance → 200" in section(result)
