"""The canary: marked credentials go through every path at DEBUG level, and no mark is found.

A stub 88Pay hands out marked tokens and session ids over a real socket and does its worst with
them: it repeats them in messages, in headers and in broken answers. What is looked through is all
that a log, a traceback service, a pickle, a notebook or the books would keep.

Two things are not searched, since the kit cannot keep them clean: the frames of the caller and of
other libraries (httpx builds the headers there) in a traceback with locals, and the session id in
the books, where it is kept on purpose: 88Pay has no look-up, and an unknown outcome may have no
other trace. It is no use without its token, and dead after a minute.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import socket
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient
from support import BALANCE, TOKEN, Delivery, Endpoint, Say

import pay88kit
from pay88kit import AsyncPay88, Config, Inbox, Pay88, WebhookRefused, reports, to_frame
from pay88kit.reports.engine.kernel import attentive

MARK = "Canary"
KEY = "sk_" + "test_" + f"{MARK}Key0123456789abcdef"
SECRET = "whsec" + f"_{MARK}Secret0123456789abcd"
MERCHANT = f"MCH-COL-{MARK.upper()}99"
ACCESS = f"eyJ{MARK}.{MARK}Claims.{MARK}Signature"
SESSION = f"sess_{MARK}0-b7f2-4c64-91b1-3d204a5738b4"
# Of each, a piece that stands in it only.
MARKS = {
    "api key": KEY[8:-4],
    "webhook secret": SECRET[6:-4],
    "access token": f"{MARK}Claims",
    "session id": SESSION[5:-4],
}
KIT = str(Path(pay88kit.__file__).parent)
CHARGE: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order",
    "customer_id": "c",
    "notification_url": "https://shop.example/hook",
}
GRANTED = {"access_token": ACCESS, "expires_in": 60, "session_id": SESSION}
# 88Pay repeats all that it was told, as a badly made error page might.
ECHO = f"no: {KEY} {SECRET} Bearer {ACCESS} {SESSION}"


def answer(data: Any) -> Say:
    body = {"status": "Success", "code": 200, "message": "OK", "data": data}
    # A server may put anything into its headers, and httpcore logs them.
    headers = {"x-session-id": SESSION, "Set-Cookie": f"token={ACCESS}"}
    return Say(200, headers, json.dumps(body).encode())


def refusal(status: int) -> Say:
    return Say(status, {"Retry-After": "1"}, json.dumps({"message": ECHO, "echo": [ECHO]}).encode())


def stub(worst: Say | None = None, token: dict[str, Any] = GRANTED) -> Callable[[Delivery], Say]:
    """A stub 88Pay; after the token every answer is ``worst``."""

    def respond(asked: Delivery) -> Say:
        path = asked.path.partition("?")[0]
        if path == TOKEN:
            return answer(token)
        if worst is not None:
            return worst
        if path == BALANCE:
            summary = {"total_payin": "1.00", "total_available": "1.00", "net_balance": 1}
            return answer({"merchant_id": "MCH-1", "balance_summary": summary})
        return answer({"reference": "IP000000001", "amount": 50_000, "currency": "COP"})

    return respond


class Stopped:
    """A clock on which waiting takes no time."""

    def __init__(self) -> None:
        from pay88kit.config import SystemClock

        self._clock = SystemClock()
        self._passed = 0.0
        self.now = self._clock.now

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._passed

    def wait_until(self, moment: float) -> None:
        self._passed += max(0.0, moment - self.monotonic())

    async def wait_until_async(self, moment: float) -> None:
        self.wait_until(moment)


class Gathered(logging.Handler):
    """Every record of every logger, formatted, with its arguments and traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.args!r}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def logs() -> Iterator[Gathered]:
    root, gathered = logging.getLogger(), Gathered()
    level = root.level
    root.addHandler(gathered)
    root.setLevel(logging.DEBUG)
    try:
        yield gathered
    finally:
        root.setLevel(level)
        root.removeHandler(gathered)


def no_mark(text: str | bytes, *, allowed: tuple[str, ...] = ()) -> None:
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    found = {
        name: told[max(0, at - 120) : at + 60]
        for name, mark in MARKS.items()
        if name not in allowed and (at := told.find(mark)) >= 0
    }
    assert not found


def config_for(url: str, **changes: Any) -> Config:
    values = {"api_key": KEY, "merchant_id": MERCHANT, "webhook_secret": SECRET}
    return Config(base_url=url.removesuffix("/hook"), clock=Stopped(), **(values | changes))


def every_link(error: BaseException) -> list[BaseException]:
    """The error with all that it drags along: causes, contexts, members of groups."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and not any(link is other for other in found):
            found.append(link)
            waiting += [link.__cause__, link.__context__, *getattr(link, "exceptions", ())]
    return found


def told_by(error: BaseException) -> str:
    """All that a log or an error service would keep of an error, from the kit's own frames."""
    told = []
    for link in every_link(error):
        told += [str(link), repr(link), repr(link.args), repr(vars(link))]
        told += getattr(link, "__notes__", [])
        rendered = traceback.TracebackException.from_exception(link, capture_locals=True)
        for frame in rendered.stack:
            if frame.filename.startswith(KIT):
                shown = "".join(traceback.StackSummary.from_list([frame]).format())
                in_books = Path(frame.filename).relative_to(KIT).parts[0].startswith("books")
                # A row of the books has the session id, as the books have.
                told.append(shown.replace(SESSION, "…") if in_books else shown)
    try:
        told.append(repr(pickle.dumps(error)))
    except (TypeError, pickle.PicklingError, AttributeError) as refused:
        told.append(str(refused))
    return "\n".join(told)


CALLS: dict[str, Callable[[Any], Any]] = {
    "token": lambda client: client.token(fresh=True),
    "charge": lambda client: client.charge(key="order-1", **CHARGE),
    "cash": lambda client: client.cash(**{**CHARGE, "method_code": "CASH"}),
    "balance": lambda client: client.balance(),
    "request": lambda client: client.request("GET", "/api/other"),
}
WORST = {
    "fine": None,
    **{str(status): refusal(status) for status in (400, 401, 403, 404, 422, 429, 500, 503)},
    "not JSON": Say(200, {}, ECHO.encode()),
    "no reference": Say(200, {}, json.dumps({"data": {"echo": ECHO}}).encode()),
    "broken gzip": Say(200, {"Content-Encoding": "gzip"}, ECHO.encode()),
}


@pytest.mark.parametrize("worst", WORST)
@pytest.mark.parametrize("call", CALLS)
def test_no_call_tells_a_secret_whatever_is_answered(
    call: str, worst: str, logs: Gathered, tmp_path: Path
) -> None:
    told: list[str] = []
    file = tmp_path / "books.db"
    with Endpoint(stub(WORST[worst])) as server, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with Pay88(config_for(server.url), books=f"sqlite:///{file}") as client:
            for _ in range(2):
                try:
                    done = CALLS[call](client)
                except pay88kit.Pay88Error as error:
                    told.append(told_by(error))
                else:
                    told += [str(done), repr(done), done._repr_html_(), repr(done.raw)]
                    told.append(to_frame(done).to_string())
            told += [str(client), repr(client), client._repr_html_(), repr(client.books)]
    no_mark("\n".join([*told, *(str(warning.message) for warning in warned)]))
    assert "HTTP Request: " in logs.text
    assert "receive_response_headers.complete" in logs.text
    no_mark(logs.text)
    assert MERCHANT not in logs.text
    for part in tmp_path.glob("books.db*"):
        no_mark(part.read_bytes(), allowed=("session id",))


@pytest.mark.parametrize("worst", ["fine", "401", "500", "broken gzip"])
def test_nor_does_the_asynchronous_client(worst: str, logs: Gathered) -> None:
    async def main(url: str) -> list[str]:
        async with AsyncPay88(config_for(url), books=False) as client:
            told = [repr(client)]
            for call in (client.balance, client.token, lambda: client.charge(**CHARGE)):
                try:
                    told.append(repr(await call()))
                except pay88kit.Pay88Error as error:
                    told.append(told_by(error))
            return told

    with Endpoint(stub(WORST[worst])) as server:
        told = asyncio.run(main(server.url), debug=True)
    no_mark("\n".join(told))
    assert "HTTP Request: " in logs.text
    no_mark(logs.text)
    assert MERCHANT not in logs.text


def test_a_server_that_is_gone_or_hangs_up(logs: Gathered) -> None:
    def hang_up(asked: Delivery) -> Say:
        if asked.path == TOKEN:
            return stub()(asked)
        raise ConnectionError("hung up without an answer")

    with Endpoint(hang_up) as server:
        config = config_for(server.url)
        with Pay88(config, books=False) as client:
            for call in ("charge", "balance"):
                with pytest.raises(pay88kit.Pay88Error) as caught:
                    CALLS[call](client)
                no_mark(told_by(caught.value))
    with Pay88(config, books=False) as client, pytest.raises(pay88kit.ConnectionFailed) as gone:
        client.balance()
    no_mark(told_by(gone.value))
    no_mark(logs.text)
    assert MERCHANT not in logs.text


@pytest.mark.parametrize("missing", ["session_id", "access_token"])
def test_half_a_token(missing: str, logs: Gathered) -> None:
    half = {name: value for name, value in GRANTED.items() if name != missing}
    with (
        Endpoint(stub(token=half)) as server,
        Pay88(config_for(server.url), books=False) as client,
        pytest.raises(pay88kit.MalformedAnswer) as caught,
    ):
        client.balance()
    no_mark(told_by(caught.value))
    no_mark(logs.text)


def test_what_is_refused_before_it_is_sent(logs: Gathered, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    wrong: list[Callable[[], Any]] = [
        lambda: Config(environment="production", api_key=KEY),
        lambda: Config(environment="sandbox", api_key=KEY + "\nx"),
        lambda: Config(environment="sandbox", api_key=KEY, base_url="http://far.example"),
        lambda: Config(environment="nowhere", api_key=KEY, webhook_secret=SECRET),
        lambda: Inbox(config_for("http://127.0.0.1:9"), secret=SECRET, port=port),
        lambda: Pay88(Config(environment="sandbox", api_key=KEY)),
        lambda: Pay88(config_for("http://127.0.0.1:9"), books=False).charge(key="k", **CHARGE),
        lambda: Pay88(config_for("http://127.0.0.1:9")).charge(**{**CHARGE, "amount": -1}),
    ]
    with taken:
        for attempt in wrong:
            with pytest.raises(pay88kit.Pay88Error) as caught:
                attempt()
            no_mark(told_by(caught.value))
    lines = f"PAY88_API_KEY={KEY}\nPAY88_WEBHOOK_SECRET={SECRET}\nPAY88_ENVIRONMENT=production\n"
    Path(".env").write_text(lines)
    monkeypatch.setenv("PAY88_API_KEY", KEY)
    for content in (lines.encode(), lines.encode() + b"\xff"):
        Path(".env").write_bytes(content)
        with pytest.raises(pay88kit.ConfigError) as caught:
            Config()
        no_mark(told_by(caught.value))
    no_mark(logs.text)


@pytest.mark.parametrize("authorization", [f"Bearer {ACCESS}", f"Bearer {SECRET}", "Bearer", None])
def test_the_inbox_tells_nothing(authorization: str | None, logs: Gathered) -> None:
    body = json.dumps({"transaction_id": "t", "transaction_status": "COMPLETED",
                       "transaction_amount": "5.00"}).encode()  # fmt: skip
    config = config_for("http://127.0.0.1:9")
    with Inbox(config, books="sqlite://") as inbox:
        for content in (body, b"not JSON"):
            with pytest.raises(WebhookRefused) as caught:
                inbox.receive(content, authorization)
            no_mark(told_by(caught.value))
        no_mark(repr(inbox) + str(inbox) + inbox.refused().to_string() + inbox.frame().to_string())
    no_mark(logs.text)


def test_nothing_with_a_secret_is_pickled() -> None:
    with Endpoint(stub()) as server, Pay88(config_for(server.url), books=False) as client:
        for thing in (client.config, client, client.token()):
            try:
                no_mark(pickle.dumps(thing))
            except TypeError as refused:
                no_mark(str(refused))
        no_mark(pickle.dumps(client.balance()))


NOTEBOOK = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from pay88kit import Inbox, Pay88, to_frame
client = Pay88(books={books!r})
token = client.token()
display(client, client.config, token, token.raw, client.balance(), to_frame(token))
---
import ipywidgets
display(ipywidgets.HTML(client._repr_html_()), ipywidgets.HTML(token._repr_html_()))
ipywidgets.interactive(lambda who: print(who), who=[str(client.config), repr(token)])
---
%xmode Verbose
client.charge({charge!r}, amount=1)
---
client.charge(key="order-1", **{charge!r})
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelManager]:
    """One for all notebooks: it starts longer than they run."""
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel()
    yield kernel
    kernel.shutdown_kernel(now=True)


def set_in(kernel: KernelManager, variables: dict[str, str]) -> None:
    """Set environment variables of a kernel; no notebook has them in it."""
    client = kernel.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        code = f"import os; os.environ.update({variables!r})"
        reply = client.execute(code, silent=True, reply=True, timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()


@pytest.mark.parametrize("worst", ["fine", "401", "500"])
def test_a_notebook_and_its_widgets_keep_nothing(
    worst: str, kernel: KernelManager, tmp_path: Path
) -> None:
    books = f"sqlite:///{(tmp_path / 'books.db').as_posix()}"
    source = NOTEBOOK.format(books=books, charge=CHARGE)
    cells = [nbformat.v4.new_code_cell(part.strip()) for part in source.split("---")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with Endpoint(stub(WORST[worst])) as server:
        settings = {"BASE_URL": server.url.removesuffix("/hook"), "API_KEY": KEY,
                    "MERCHANT_ID": MERCHANT, "WEBHOOK_SECRET": SECRET}  # fmt: skip
        set_in(kernel, {f"PAY88_{name}": value for name, value in settings.items()})
        client = NotebookClient(notebook, km=kernel, timeout=60, allow_errors=True)
        attentive(client).execute()
    kept = nbformat.writes(notebook)
    assert "application/vnd.jupyter.widget-state+json" in kept
    assert "HTTP Request" in kept
    errors = [out for cell in cells for out in cell.outputs if out.output_type == "error"]
    assert errors
    no_mark(kept)


@pytest.mark.parametrize("worst", ["fine", "401", "500"])
def test_a_report_keeps_nothing(
    worst: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Endpoint(stub(WORST[worst])) as server:
        settings = {"ENVIRONMENT": "sandbox", "BASE_URL": server.url.removesuffix("/hook"),
                    "API_KEY": KEY, "MERCHANT_ID": MERCHANT, "WEBHOOK_SECRET": SECRET,
                    "BOOKS": f"sqlite:///{(tmp_path / 'books.db').as_posix()}"}  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(f"PAY88_{name}", value)
        out = tmp_path / "out"
        if worst == "fine":
            reports.run("daily_balance", {"day": "today"}, out=out)
        else:
            with pytest.raises(reports.ReportFailed) as caught:
                reports.run("daily_balance", {"day": "today"}, out=out)
            no_mark(told_by(caught.value))
    files = [file for file in out.rglob("*") if file.is_file()]
    reported = {file.suffix for file in files if file.name.startswith("daily_balance-")}
    assert reported == {".ipynb", ".html"}
    assert out / "index.html" in files
    for file in files:
        if file.suffix == ".xlsx":
            with zipfile.ZipFile(file) as parts:
                no_mark(b"".join(map(parts.read, parts.namelist())))
        else:
            no_mark(file.read_bytes())
