"""Comparable tools for Python, each installed from PyPI into an environment of its own.

The environments stay in the user's cache folder, so that only the first run installs. What each is
asked is its nearest to a charge: a create that it keeps.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from uv import find_uv_bin

from tests.bench.measure import say
from tests.bench.servers import HOST, Contender, ask, post

SECONDS = 180
JSON = {"Content-Type": "application/json"}
# localstripe writes every object to this file, whatever it is told.
LOCALSTRIPE_FILE = Path("/tmp/localstripe.pickle")  # noqa: S108


class LeftOut(Exception):
    """A peer cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Peer:
    """A tool on PyPI.

    Attributes:
        program: what starts it, with ``{port}`` for the port.
        health: a GET that it answers with 200 when it is ready.
        create: makes what a charge needs, and gives the bytes of the create.
        what: what the create is, for the notes under the table.
        python: the oldest Python it runs on.
        accepted: the status of a create that it took.
    """

    name: str
    requirements: tuple[str, ...]
    program: tuple[str, ...]
    health: bytes
    create: Callable[[int], bytes]
    what: str
    python: tuple[int, int] = (3, 11)
    accepted: int = 200

    def contender(self) -> Contender:
        """Installed, if it was not.

        Raises:
            LeftOut: it cannot be installed.
        """
        environment(self.name, self.requirements, self.python)
        program = _program(_cache() / self.name, self.program[0])

        def command(port: int) -> list[str]:
            return [program, *(part.format(port=port) for part in self.program[1:])]

        return Contender(self.name, command, self.health, self.create, self.accepted)


def installed() -> Iterator[Contender]:
    """The peers that can be installed; the others are named with the reason."""
    for peer in PEERS:
        try:
            yield peer.contender()
        except (LeftOut, OSError, subprocess.SubprocessError) as error:
            say(f"bench: {peer.name} is left out: {error}")


def notes() -> str:
    """What a create is at each peer."""
    return "\n".join(
        f"{peer.name}: {' and '.join(peer.requirements)}; a charge there: {peer.what}."
        for peer in PEERS
    )


@contextmanager
def own_files_kept() -> Iterator[None]:
    """Put back what a peer would overwrite of the user's."""
    before = LOCALSTRIPE_FILE.read_bytes() if LOCALSTRIPE_FILE.is_file() else None
    try:
        yield
    finally:
        if before is not None:
            LOCALSTRIPE_FILE.write_bytes(before)
        else:
            LOCALSTRIPE_FILE.unlink(missing_ok=True)


# ---------------------------------------------------------------- their creates


def _getpaid_order(port: int) -> bytes:
    answer = ask(port, post("/payu/pl/standard/user/oauth/authorize", body="client_id=1"))
    token = _json(answer)["access_token"]
    order = {
        "notifyUrl": "http://127.0.0.1:9/hook",
        "continueUrl": "http://127.0.0.1:9/back",
        "customerIp": HOST,
        "merchantPosId": "1",
        "description": "A benchmark",
        "currencyCode": "PLN",
        "totalAmount": "5000000",
        "extOrderId": "CUST-1",
        "products": [{"name": "A benchmark", "unitPrice": "5000000", "quantity": "1"}],
    }
    headers = {"Authorization": f"Bearer {token}", **JSON}
    return post("/payu/api/v2_1/orders", headers, json.dumps(order))


def _localstripe_charge(port: int) -> bytes:
    key = base64.b64encode(b"sk_test_12345:").decode()
    headers = {"Authorization": f"Basic {key}", **JSON}
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    body = json.dumps({"type": "card", "card": card})
    method = _json(ask(port, post("/v1/payment_methods", headers, body)))["id"]
    charge = {
        "amount": 5000000,
        "currency": "cop",
        "source": method,
        "description": "A benchmark",
        "metadata": {"customer": "CUST-1"},
    }
    return post("/v1/charges", headers, json.dumps(charge))


def _moto_item(port: int) -> bytes:
    def call(action: str, **fields: Any) -> bytes:
        headers = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/dynamodb/"
            "aws4_request, SignedHeaders=host, Signature=x",
            "X-Amz-Target": f"DynamoDB_20120810.{action}",
            "Content-Type": "application/x-amz-json-1.0",
        }
        return post("/", headers, json.dumps({"TableName": "charges", **fields}))

    # Refused, without harm, when the table is there already.
    table = call(
        "CreateTable",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ask(port, table)
    item = {"id": {"S": "CUST-1"}, "amount": {"N": "5000000"}, "currency": {"S": "COP"}}
    return call("PutItem", Item=item)


def _json(answer: bytes) -> dict[str, str]:
    content: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return content


PEERS = (
    Peer(
        "getpaid-simulator",
        ("python-getpaid-simulator==3.2.0", "python-getpaid-payu[simulator]==3.2.0"),
        ("getpaid-simulator", "--host", HOST, "--port", "{port}", "--log-level", "WARNING"),
        post("/", method="GET"),
        _getpaid_order,
        "POST /payu/api/v2_1/orders (it answers 302)",
        python=(3, 12),
        accepted=302,
    ),
    Peer(
        "localstripe",
        ("localstripe==1.15.10",),
        ("localstripe", "--from-scratch", "--port", "{port}"),
        post("/js.stripe.com/v3/", method="GET"),
        _localstripe_charge,
        "POST /v1/charges",
    ),
    Peer(
        "moto",
        ("moto[server]==5.2.5",),
        ("moto_server", "-H", HOST, "-p", "{port}"),
        post("/moto-api/", method="GET"),
        _moto_item,
        "a DynamoDB PutItem of the same item each time, its quickest create that lasts (an SQS "
        "queue slows down as it fills); it closes each connection, so each item takes a new one",
    ),
)


# ---------------------------------------------------------------- environments


def environment(
    name: str, requirements: tuple[str, ...], at_least: tuple[int, int] = (3, 11)
) -> str:
    """The Python of an environment of its own, made if it is missing or another version's.

    Raises:
        LeftOut: it cannot be installed.
    """
    home = _cache() / name
    record = home / "installed.txt"
    wanted = "\n".join(requirements)
    if not record.is_file() or record.read_text() != wanted:
        say(f"bench: installing {name} …")
        _uv("venv", "--clear", "--python", _python(at_least), str(home))
        _uv("pip", "install", "--python", _program(home, "python"), *requirements)
        record.write_text(wanted)
    return _program(home, "python")


def _cache() -> Path:
    folder = user_cache_path("pay88kit") / "bench"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / "pay88kit-bench"
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _program(home: Path, name: str) -> str:
    found = shutil.which(name, path=str(home / ("Scripts" if os.name == "nt" else "bin")))
    if found is None:
        raise LeftOut(f"it has no program {name}")
    return found


def _uv(*arguments: str) -> None:
    command = [find_uv_bin(), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if run.returncode:
        lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
        said = [line for line in lines if re.match(r"error|cause|×|╰|├", line)] or lines[-1:]
        raise LeftOut(f"uv {arguments[0]}: {' '.join(said)[:300]}")


def _python(at_least: tuple[int, int]) -> str:
    """This Python if it is new enough, else the oldest here that is, else what uv can bring."""
    if sys.version_info >= at_least:
        return sys.executable
    names = [f"python3.{minor}" for minor in range(at_least[1], at_least[1] + 4)]
    # pyenv's programs on the path refuse to run unless they were chosen.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in names:
        found = shutil.which(name)
        for program in [*([found] if found else []), *map(str, pyenv.glob(f"*/bin/{name}"))]:
            if not subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode:
                return program
    return ".".join(map(str, at_least))
