"""Every lesson against another 88Pay, by the environment alone: a second sandbox, a process of its
own without its control side. What the lessons ask of a person, a customer does here, over HTTP and
from what the notebook shows.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import kernels
import nbformat
import pytest
from run_all import empty_home, warm_matplotlib
from support import Caller, Delivery, Endpoint, Say, plain_http

from pay88kit import Books
from pay88kit.guide.catalogue import LESSONS

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
# The longest first: time really passes in them.
NAMES = sorted((lesson.name for lesson in LESSONS), key=lambda name: name[:2] not in ("02", "05"))
# 88Pay reaches these through a tunnel, on a port that the learner names.
THROUGH_A_TUNNEL = ("00_start_here", "04_webhooks")
# The books outlive a kernel, so these find there what they did the first time.
TWICE = ("03_charge", "04_webhooks", "05_payouts", "09_go_live")
# What these lessons do on the local sandbox also when they are switched.
LOCAL_PARTS = {
    "02_token": "a token that ends early",
    "03_charge": "72 hours that pass at once",
    "04_webhooks": "notifications at a time of its choice",
    "06_balance": "balances made to order",
    "07_errors_and_limits": "faults on purpose",
    "08_reconcile": "notifications and answers that get lost",
}


class Customer:
    """Somebody with a browser, who does what the notebook asks for."""

    def __init__(self) -> None:
        self.pressed: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(4)
        self._lock = threading.Lock()
        self._errands: list[Any] = []

    def read(self, text: str) -> None:
        """Look at an output, and go to the page if it says so."""
        page = re.search(r"^The page of (\w+): (http\S+)$", text, re.MULTILINE)
        task = re.search(r"^Open the page and (pay|decline)\.$", text, re.MULTILINE)
        if not (page and task):
            return
        with self._lock:
            if page[1] in self.pressed:
                return
            self.pressed[page[1]] = task[1]
        card = re.search(r"(\d{16}) \(CVV (\d+), expiry ([\d/]+)\)", text)
        assert card, text
        form = {"number": card[1], "cvv": card[2], "expiry": card[3]}
        self._errands.append(self._pool.submit(self._visit, page[2], task[1], form))

    def _visit(self, url: str, decision: str, card: dict[str, str]) -> None:
        with plain_http() as browser:
            page = browser.get(url).text
            assert f'name="decision" value="{decision}"' in page
            fields = {name: value for name, value in card.items() if f'name="{name}"' in page}
            # A card that is declined is sent with the button "Pay".
            press = "pay" if fields else decision
            after = browser.post(url, data=fields | {"decision": press}, follow_redirects=True).text
            said = {"pay": "Paid.", "decline": "Declined. Nothing was paid."}[decision]
            assert said in after, after

    def go_home(self) -> None:
        """All visits have ended well."""
        self._pool.shutdown()
        for errand in self._errands:
            errand.result()


@dataclass
class Run:
    """What became of the lessons."""

    books: Path
    settings: dict[str, str]
    customer: Customer = field(default_factory=Customer)
    notebooks: dict[str, list[Any]] = field(default_factory=dict)
    tunnelled: dict[str, list[Delivery]] = field(default_factory=dict)

    def shown(self, name: str) -> list[str]:
        """The texts of a lesson's outputs, of every time."""
        return [
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for _, output in self.outputs(name)
        ]

    def outputs(self, name: str) -> Iterator[tuple[Any, Any]]:
        """Each output of a lesson with its cell."""
        for notebook in self.notebooks[name]:
            for cell in notebook.cells:
                for output in cell.get("outputs", ()):
                    yield cell, output


@contextmanager
def second_sandbox(env: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """A sandbox in a process of its own that answers as 88Pay only; yields what it printed."""
    # Ten lessons at once are one merchant: without its limits, which make a client wait.
    command = [sys.executable, "-m", "pay88kit", "sandbox", "--port", "0", "--seed", "7"]
    command += ["--no-control", "--no-limits"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=env, cwd=folder
    ) as process:
        assert process.stdout is not None
        settings: dict[str, str] = {}
        for line in process.stdout:
            name, equals, value = line.strip().partition("=")
            if equals:
                settings[name] = value
            if line.startswith("Stop it"):
                break
        try:
            yield settings
        finally:
            process.kill()


@contextmanager
def tunnel(port: int) -> Iterator[Endpoint]:
    """An address that leads to a port, as a tunnel's does."""

    def forward(delivery: Delivery) -> Say:
        headers = {
            name: delivery.headers[name]
            for name in ("authorization", "content-type")
            if name in delivery.headers
        }
        with plain_http(f"http://127.0.0.1:{port}") as http:
            answer = http.request(
                delivery.method, delivery.path, content=delivery.body, headers=headers
            )
        return Say(answer.status_code, body=answer.content)

    with Endpoint(forward) as endpoint:
        yield endpoint


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def execute(name: str, env: dict[str, str], customer: Customer) -> Any:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    kernels.execute(notebook, env, NOTEBOOKS, allow_errors=True, watch=customer.read)
    return notebook


def take(name: str, env: dict[str, str], customer: Customer) -> list[Any]:
    """A lesson, and perhaps once more, in another kernel."""
    return [execute(name, env, customer) for _ in range(1 + (name in TWICE))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All lessons, several at once, on one merchant and in one file of books."""
    folder = tmp_path_factory.mktemp("switched")
    home = empty_home(folder / "home")
    warm_matplotlib(home)
    with ExitStack() as stack:
        settings = stack.enter_context(second_sandbox(home, folder))
        run = Run(folder / "books.db", settings)
        env = home | settings
        env |= {"PAY88_ENVIRONMENT": "sandbox", "PAY88_BOOKS": f"sqlite:///{run.books}"}
        of = dict.fromkeys(NAMES, env)
        for name in THROUGH_A_TUNNEL:
            port = free_port()
            way = stack.enter_context(tunnel(port))
            run.tunnelled[name] = way.received
            of[name] = env | {
                "PAY88_PUBLIC_URL": way.url.removesuffix("/hook"),
                "PAY88_INBOX_PORT": str(port),
            }
        with ThreadPoolExecutor(5) as pool:
            ended = pool.map(lambda name: take(name, of[name], run.customer), NAMES)
            run.notebooks = dict(zip(NAMES, ended, strict=True))
        run.customer.go_home()
        yield run


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_cell_of_a_switched_lesson_fails(name: str, run: Run) -> None:
    failed = [
        f"{cell.source}\n→ {output['ename']}: {output['evalue']}"
        for cell, output in run.outputs(name)
        if output["output_type"] == "error"
    ]
    assert not failed, "\n\n".join(failed)
    assert not [o["text"] for _, o in run.outputs(name) if o.get("name") == "stderr"]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_needs_the_local_sandbox_says_that_it_runs_there(name: str, run: Run) -> None:
    notes = [text for text in run.shown(name) if "so it runs on the local sandbox" in text]
    if name in LOCAL_PARTS:
        needed = f"This part needs {LOCAL_PARTS[name]}, so it runs on the local sandbox."
        assert notes == [f"{needed} Simulated data, not 88Pay."] * len(run.notebooks[name])
    else:
        assert notes == []


def test_the_payments_were_made_at_the_other_88pay(run: Run) -> None:
    # One in 00, two in 03 and in 04, one in 05 and in 09; one is declined, in 03. The second time
    # the payment of 09 is known: it has one key for ever.
    paid = (1 + 2 + 2 + 1 + 1) + (2 + 2 + 1)
    assert sorted(run.customer.pressed.values()) == ["decline"] * 2 + ["pay"] * paid
    books = Books(f"sqlite:///{run.books}")
    operations, notifications = books.operations(), books.notifications()
    assert set(operations["environment"]) == {"sandbox"}
    known = operations.set_index("reference")
    for reference, pressed in run.customer.pressed.items():
        assert (
            known.loc[reference, "status"] == {"pay": "COMPLETED", "decline": "REJECTED"}[pressed]
        )
    applied = notifications[notifications["outcome"] == "applied"]
    assert set(applied["reference"]) == set(run.customer.pressed)
    # The other 88Pay says the same, in its balance.
    with plain_http(run.settings["PAY88_BASE_URL"]) as http:
        merchant, key = run.settings["PAY88_MERCHANT_ID"], run.settings["PAY88_API_KEY"]
        balance = Caller(http, merchant, key).balance()
    completed = operations[operations["status"] == "COMPLETED"]
    assert Decimal(balance["total_payin"]) == completed["amount"].sum()
    assert Decimal(balance["total_payout"]) == 0


@pytest.mark.parametrize("name", THROUGH_A_TUNNEL)
def test_a_named_address_is_the_way_of_the_notifications(name: str, run: Run) -> None:
    came = [delivery for delivery in run.tunnelled[name] if delivery.method == "POST"]
    assert all(delivery.path.startswith("/webhooks/88pay") for delivery in came)
    paid = sum("Its notification came: COMPLETED." in text for text in run.shown(name))
    # 04 also plays 88Pay: a forged call, and one that comes again.
    played = 2 * len(run.notebooks[name]) if name == "04_webhooks" else 0
    assert len(came) == paid + played
    assert paid >= 1


def test_what_nobody_can_decide_stays_pending_and_the_lesson_goes_on(run: Run) -> None:
    shown = run.shown("05_payouts")
    assert sum("nobody can do it from here" in text for text in shown) == 4
    assert sum("The lesson goes on without it." in text for text in shown) == 4


def test_a_minute_really_passes(run: Run) -> None:
    shown = run.shown("02_token")
    assert "51 s have passed." in shown
    assert shown.index("10 s have passed.") < shown.index("(401, 'Invalid or expired token')")
