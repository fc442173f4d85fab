"""One token for several processes: who may read it, and when it is not believed."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Ended, at_once
from support import BALANCE, MERCHANT, TOKEN

from pay88kit import AsyncPay88, Config, Pay88, Sandbox
from pay88kit.client.shared_token import SharedToken


class Served:
    """A sandbox on a port, whose clock is the machine's."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox = sandbox
        own = sandbox.config
        self.config = Config("local", url, str(own.api_key), own.merchant_id)

    def tokens(self) -> int:
        return [request["path"] for request in self.sandbox.requests()].count(TOKEN)

    def client(self, **named: Any) -> Pay88:
        return Pay88(self.config, books=False, **{"share_token": True, **named})


@pytest.fixture
def served() -> Iterator[Served]:
    with Sandbox(clock="real") as sandbox, sandbox.serve() as url:
        yield Served(sandbox, url)


def the_file(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "home").rglob("tokens/*.json")
    return file


def test_a_second_client_takes_the_first_ones_token(served: Served) -> None:
    with served.client() as one, served.client() as two:
        assert one.token().session_id == two.token().session_id
        assert two.balance().merchant_id == MERCHANT
    assert served.tokens() == 1


def test_an_asynchronous_one_does_too(served: Served) -> None:
    async def ask() -> None:
        async with AsyncPay88(served.config, books=False, share_token=True) as client:
            await asyncio.gather(*(client.balance() for _ in range(5)))

    asyncio.run(ask())
    with served.client() as client:
        client.balance()
    asyncio.run(ask())
    assert served.tokens() == 1


def test_it_is_off_unless_asked_for(served: Served, tmp_path: Path) -> None:
    for _ in range(2):
        with Pay88(served.config, books=False) as client:
            client.token()
    assert served.tokens() == 2
    assert list((tmp_path / "home").rglob("tokens/*")) == []


def test_other_credentials_have_another_file(served: Served, tmp_path: Path) -> None:
    other = served.sandbox.merchant(merchant_id="MCH-COL-OTHER1")
    config = served.config.replace(api_key=other["api_key"], merchant_id=other["merchant_id"])
    with served.client() as one, Pay88(config, books=False, share_token=True) as two:
        assert one.balance().merchant_id != two.balance().merchant_id
    assert len(list((tmp_path / "home").rglob("tokens/*.json"))) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows' rights are not in the mode")
def test_only_its_owner_reads_it(served: Served, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with served.client() as client:
            client.token()
    finally:
        os.umask(before)
    file = the_file(tmp_path)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    for kept in file.parent.iterdir():
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600, kept.name
    # The name tells nothing of the credentials.
    assert str(served.config.api_key)[8:] not in file.name
    assert MERCHANT not in file.name


def test_thirty_processes_at_once_cost_at_most_two(served: Served) -> None:
    config = served.config
    ended = at_once(
        30,
        "import sys\nfrom pay88kit import Config, Pay88",
        "client = Pay88(Config('local', *sys.argv[1:]), books=False, share_token=True)",
        "print(client.balance().merchant_id); client.close()",
        config.base_url, str(config.api_key), str(config.merchant_id),
    )  # fmt: skip
    assert ended == [Ended(0, f"{MERCHANT}\n", "")] * 30
    assert served.tokens() <= 2
    assert {request["status_code"] for request in served.sandbox.requests()} == {200}


def test_a_refused_token_is_not_taken_from_the_file_again(served: Served) -> None:
    with served.client() as one, served.client() as two:
        one.token()
        served.sandbox.fault("balance", "status", status=401)
        assert two.balance().merchant_id == MERCHANT
        assert served.tokens() == 2
        # And the next one takes the new one.
        with served.client() as three:
            assert three.token().session_id == two.token().session_id != one.token().session_id
    assert served.tokens() == 2


def test_an_old_one_is_not_used(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with served.client() as client:
        client.token()
    now = time.time
    for change, tokens in ((49, 1), (51, 2), (-5, 3), (-(10**6), 4)):
        # The machine's time was set forward or back: what is left of the token is not known.
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda change=change: now() + change)
            with served.client() as client:
                assert client.balance().merchant_id == MERCHANT
        assert served.tokens() == tokens
        if change != 49:
            # As it was, for the next one.
            (file,) = Path(os.environ["HOME"]).rglob("tokens/*.json")
            kept = json.loads(file.read_text())
            kept["until"] = now() + 49.5
            file.write_text(json.dumps(kept))


def damaged() -> list[tuple[str, bytes]]:
    token = {"access_token": "stale", "session_id": "sess_stale", "expires_in": 60}
    soon = time.time() + 40

    def kept(**changes: Any) -> bytes:
        return json.dumps({"until": soon, "token": token, **changes}).encode()

    return [
        ("empty", b""),
        ("half", kept()[:40]),
        ("no JSON", b"\xff\xfe\x00"),
        ("a list", b"[]"),
        ("null", b"null"),
        ("deep", b"[" * 100_000),
        ("no time", json.dumps({"token": token}).encode()),
        ("a time in words", kept(until="soon")),
        ("no number", kept(until=float("nan"))),
        ("for ever", kept(until=float("inf"))),
        ("too large", b'{"until": 1' + b"0" * 400 + b', "token": {}}'),
        ("no token", kept(token=None)),
        ("no access token", kept(token={**token, "access_token": None})),
        ("no session", kept(token={**token, "session_id": 7})),
        ("no life", kept(token={**token, "expires_in": -1})),
    ]


@pytest.mark.parametrize("content", [c for _, c in damaged()], ids=[n for n, _ in damaged()])
def test_a_damaged_file_is_ignored_and_written_anew(
    served: Served, tmp_path: Path, content: bytes
) -> None:
    with served.client() as client:
        client.token()
    the_file(tmp_path).write_bytes(content)
    with served.client() as client:
        assert client.balance().merchant_id == MERCHANT
    assert served.tokens() == 2
    assert {request["status_code"] for request in served.sandbox.requests()} == {200}
    with served.client() as client:
        client.balance()
    assert served.tokens() == 2


def test_without_a_place_to_keep_it_each_asks_for_itself(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file stands where the folder would be: not even root can make it.
    blocked = tmp_path / "blocked"
    blocked.touch()
    for name in ("HOME", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(blocked))
    for _ in range(2):
        with served.client() as client:
            assert client.balance().merchant_id == MERCHANT
    assert served.tokens() == 2


def test_a_program_that_keeps_the_lock_is_not_waited_for_for_ever(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pay88kit.client.shared_token._PATIENCE", 0.1)
    other = SharedToken(served.config)
    assert other.acquire()
    try:
        with served.client() as client:
            assert client.balance().merchant_id == MERCHANT
    finally:
        other.release()
    assert served.tokens() == 1


def test_its_lock_is_free_while_business_goes_on(served: Served) -> None:
    served.sandbox.fault("balance", "latency", seconds=0.3)
    other = SharedToken(served.config)
    seen: list[bool] = []

    def look(request: Any) -> None:
        if request.url.path == BALANCE:
            seen.append(other.acquire())
            other.release()

    with served.client(event_hooks={"request": [look]}) as client:
        client.balance()
    assert seen == [True]


def test_nothing_of_the_token_is_in_its_repr(served: Served, tmp_path: Path) -> None:
    with served.client() as client:
        token = client.token()
        shown = repr(client) + repr(vars(client)) + repr(SharedToken(served.config))
        shown += repr(vars(client._core._exchange)) + repr(client._core._exchange._tokens)
    kept = the_file(tmp_path).read_text()
    for secret in (token.access_token, token.session_id):
        assert str(secret) in kept
        assert str(secret) not in shown
