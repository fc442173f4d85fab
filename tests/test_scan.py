"""`pay88 scan`: what it finds, where it says it is, and what it never prints."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support import Endpoint

from pay88kit import Pay88, Sandbox
from pay88kit.cli import main
from pay88kit.scan import Finding, Scan, State

ROOT = Path(__file__).resolve().parent.parent

# Put together here, so that this file holds none of them whole.
KEY = "sk_" + "live_" + "Canary0123456789ABCDEF"
TEST_KEY = "sk_" + "test_" + "Canary0123456789ABCDEF"
SECRET = "whsec" + "_Canary0123456789ABCDEF"
SESSION = "sess" + "_4e91a5c1-b7f2-4c64-91b1-3d204a5738b4"
JWT = ".".join(("eyJ" + "hbGciOiJFUzI1NiJ9", "eyJ" + "tZXJjaGFudCI6MX0", "c2lnbmF0dXJl"))
JWE = ".".join(("eyJ" + "hbGciOiJkaXIifQ", "", "aXYxMjM0NTY3ODk", "Y2lwaGVydGV4dA", "dGFnLXRhZw"))
EVERY = {
    KEY: "API key",
    TEST_KEY: "API key",
    SECRET: "webhook secret",
    SESSION: "session id",
    JWT: "access token",
    JWE: "access token",
}


def scanned(*paths: Path, **options: Any) -> list[Finding]:
    return list(Scan(options.pop("credentials", []), **options).run(paths))


def text_file(folder: Path, text: str, name: str = "app.log") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def notebook(folder: Path, *cells: dict[str, Any], name: str = "n.ipynb", **rest: Any) -> Path:
    content = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **rest}
    return text_file(folder, json.dumps(content), name)


def code(source: str = "", *outputs: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs), **rest}


def shows(**data: Any) -> dict[str, Any]:
    data = {mime.replace("_", "/", 1): value for mime, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


@pytest.mark.parametrize(("secret", "kind"), EVERY.items(), ids=lambda value: value[:8])
def test_each_kind_is_found_at_its_line_and_never_printed(
    tmp_path: Path, secret: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = text_file(tmp_path, f"one\ntwo\nthree: {secret}, four\n")
    assert main(["scan", str(path)]) == 1
    told = capsys.readouterr().out
    assert f"{path}:3: {kind} " in told
    assert secret not in told
    assert secret[-12:] not in told


@given(
    before=st.sampled_from(["", "x-api-key: ", "'", '"', "=", ">", "(", "\\n", "%20", "\x1b[39m"]),
    secret=st.sampled_from(list(EVERY)),
    after=st.sampled_from(["", "'", '"', "<", "&quot;", "\\n", " ", ",", "\x1b[0m", "%22"]),
)
def test_whatever_stands_around_it(before: str, secret: str, after: str) -> None:
    found = [value for _, value, _ in Scan([])._search(f"a {before}{secret}{after}")]
    assert secret in found


@pytest.mark.parametrize(
    "text",
    [
        "A key begins with `sk_test_` or `sk_live_`.",
        "api_key='sk_test_…3AOO', webhook_secret='whsec_…9TlD'",
        "def task_test_configuration_of_everything(): ...",
        "eyJhbGciOiJFUzI1NiIs...",
        "sess_of-another-transaction",
        "eyJ" + "A" * 400,
    ],
)
def test_what_is_no_secret(tmp_path: Path, text: str) -> None:
    assert scanned(text_file(tmp_path, text)) == []


ENCODED = base64.b64encode(f"a text with {KEY} in it".encode()).decode()


@pytest.mark.parametrize(
    ("cells", "rest", "where"),
    [
        ([code(), code(f"x = 1\nkey = '{KEY}'")], {}, "cell 2, line 2"),
        ([code("", {"output_type": "stream", "text": ["a\n", KEY]})], {}, "cell 1, output 1, line"),
        ([code("", shows(text_html=f"<b>{KEY}</b>"))], {}, "cell 1, output 1 text/html, line 1"),
        ([code("", shows(application_json={"a": [{KEY: 1}]}))], {}, "output 1 application/json"),
        ([code("", shows(image_png=ENCODED))], {}, "output 1 image/png"),
        ([code("", shows(text_plain=f"<img src='data:x/y;base64,{ENCODED}'>"))], {}, "text/plain"),
        ([code("", {"output_type": "error", "traceback": ["a", f"\x1b[32m{KEY}"]})], {}, "line 2"),
        ([code(metadata={"papermill": {"parameters": {"k": KEY}}})], {}, "cell 1, metadata"),
        ([code(attachments={"a.txt": {"text/plain": ENCODED}})], {}, "cell 1, attachment a.txt"),
        ([], {"metadata": {"widgets": {"state": {"1": {"value": KEY}}}}}, "metadata widgets"),
        ([], {"metadata": {"title": ["sk_", KEY[3:]]}}, "notebook metadata title"),
        ([], {"worksheets": [{"cells": [{"input": KEY}]}]}, "notebook worksheets"),
    ],
)
def test_everywhere_in_a_notebook(
    tmp_path: Path, cells: list[Any], rest: dict[str, Any], where: str
) -> None:
    (found,) = scanned(notebook(tmp_path, *cells, **rest))
    assert found.kind == "API key"
    assert where in str(found)
    assert KEY not in str(found)


def test_what_json_escapes_hide_in_the_file_is_found_in_the_notebook(tmp_path: Path) -> None:
    hidden = "".join(f"\\u{ord(char):04x}" for char in KEY)
    path = notebook(tmp_path, code("key = 'HERE'"))
    path.write_text(path.read_text().replace("HERE", hidden))
    assert KEY not in path.read_text()
    assert [found.where for found in scanned(path)] == [" cell 1, line 1"]


@pytest.mark.parametrize(
    "written",
    ["p&a<s>s wörd+1", "p&amp;a&lt;s&gt;s wörd+1", "p%26a%3Cs%3Es%20w%C3%B6rd%2B1", "w\\u00f6rd"],
)
def test_this_machines_own_credentials_whatever_their_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv(
        "PAY88_WEBHOOK_SECRET", "w\u00f6rd-w\u00f6rd" if "\\" in written else "p&a<s>s wörd+1"
    )
    text = f"in={written}-w\\u00f6rd" if "\\" in written else f"in={written}&out"
    found = list(Scan().run([text_file(tmp_path, text + " pay88-scan: allow")]))
    # The marker is for what only looks like a secret.
    assert [(f.where, f.kind, f.state) for f in found] == [
        ("1", "this machine's PAY88_WEBHOOK_SECRET", State.FOUND)
    ]


def test_credentials_come_from_the_env_file_too_and_it_is_read_only_when_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text(f"EIGHTY_EIGHT_PAY_API_KEY={KEY}\nPAY88_MERCHANT_ID=MCH-COL-CANARY99\n")
    monkeypatch.setenv("PAY88_BOOKS", "postgresql://me:of-the-books@localhost/books")
    Path("a.txt").write_text("MCH-COL-CANARY99\nof-the-books\n" + KEY)
    found = list(Scan().run(["."]))
    assert [(f.file, f.where, f.kind) for f in found] == [
        ("a.txt", "2", "this machine's password in PAY88_BOOKS"),
        ("a.txt", "3", "this machine's EIGHTY_EIGHT_PAY_API_KEY"),
    ]
    assert [f.file for f in Scan().run([".env"])] == [".env"]


def test_what_the_sandbox_drew_is_simulated_and_any_other_is_not(tmp_path: Path) -> None:
    for seed, states in ((88, {State.SIMULATED}), (7, {State.FOUND})):
        with Sandbox(seed=seed) as sandbox, Endpoint() as shop:
            client = Pay88(sandbox.config, books=False)
            charge = client.charge(
                method_code="PSE", amount=5_000, currency="COP", country="COL",
                description="d", customer_id="c", notification_url=shop.url,
            )  # fmt: skip
            sandbox.complete(charge.reference)
            token, config = client.token(), sandbox.config
            (notified,) = shop.received
            drawn = (
                config.api_key, config.webhook_secret, token.access_token, token.session_id,
                notified.headers["authorization"], notified.body.decode(),
            )  # fmt: skip
        path = text_file(tmp_path, "\n".join(map(str, drawn)))
        found = scanned(path)
        assert [f.where for f in found] == ["1", "2", "3", "4", "5", "6"]
        assert {f.state for f in found} == states
        assert {f.state for f in scanned(path, seeds=[88, 7])} == {State.SIMULATED}


def test_the_committed_notebooks_are_clean_and_a_real_one_among_them_is_not_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", str(ROOT / "notebooks")]) == 0
    assert "simulated" in capsys.readouterr().out
    committed = (ROOT / "notebooks" / "04_webhooks.ipynb").read_text(encoding="utf-8")
    (simulated,) = set(re.findall(r"sess_[0-9a-f-]{36}", committed))
    path = text_file(tmp_path, committed.replace(simulated, SESSION), "n.ipynb")
    assert main(["scan", str(path)]) == 1


def test_a_marker_allows_its_line_and_in_code_its_cell(tmp_path: Path) -> None:
    path = text_file(tmp_path, f"{KEY}  # pay88-scan: allow\n{SECRET}\n")
    assert [(f.where, f.state) for f in scanned(path)] == [("1", "allowed"), ("2", "found")]
    marked = code("show()  # pay88-scan: allow", shows(text_plain=KEY))
    path = notebook(tmp_path, marked, code("", shows(text_plain=KEY)))
    assert [(f.where[:7], f.state) for f in scanned(path)] == [
        (" cell 1", "allowed"),
        (" cell 2", "found"),
    ]


def test_folders_leave_out_what_is_not_yours_and_count_what_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path /= "files"
    (tmp_path / "sub").mkdir(parents=True)
    text_file(tmp_path / "sub", "nothing", "a.txt")
    text_file(tmp_path, "nothing", "b.html")
    for name in (".git", ".venv", "node_modules", "__pycache__", "my-env"):
        (tmp_path / name).mkdir()
        text_file(tmp_path / name, KEY)
    text_file(tmp_path / "my-env", "", "pyvenv.cfg")
    (tmp_path / "c.bin").write_bytes(b"\0" + KEY.encode())
    assert main(["scan", str(tmp_path / "sub"), str(tmp_path)]) == 0
    assert "2 files read" in (told := capsys.readouterr().out)
    assert "1 binary file" in told


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_logs_of_any_machine(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(f"año\r\n{KEY}\r\n".encode(encoding))
    assert [f.where for f in scanned(path)] == ["2"]


@pytest.mark.parametrize(
    "content", ["{", "[]", "[" * 100_000, '{"cells": [\n<<<<<<< HEAD\n"x",'], ids=len
)
def test_a_broken_notebook_is_a_fault_and_read_as_text(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = text_file(tmp_path, f"{content}\n{KEY}\n", "n.ipynb")
    assert main(["scan", str(path)]) == 1
    told = capsys.readouterr()
    assert "not a readable notebook" in told.err
    assert f"{path}:{content.count(chr(10)) + 2}: API key" in told.out
    # Without a finding it is still not called clean.
    text_file(tmp_path, content, "n.ipynb")
    assert main(["scan", str(path)]) == 1


@pytest.mark.parametrize(
    "content",
    [
        '{"cells": null}', '{"cells": [1, null, "x"]}', '{"cells": [{"outputs": 5, "source": 7}]}',
        '{"cells": [{"attachments": [1], "source": {"a": []}, "outputs": [3, {"data": "x"}]}]}',
        f'{{"metadata": [{"9" * 5000}]}}', '{"metadata": 1e999}', "", "{}",
    ],
)  # fmt: skip
def test_an_odd_notebook_stops_nothing(tmp_path: Path, content: str) -> None:
    scan = Scan([])
    assert list(scan.run([text_file(tmp_path, content, "n.ipynb")])) == []
    assert (scan.files, scan.faults) == (1, [])


def test_a_strangers_names_fake_nothing_in_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = f"\x1b[2J\x07\u202e\nok.txt:1: nothing {SECRET}"
    path = notebook(tmp_path, code("", shows(text_plain="", **{evil: KEY})))
    assert main(["scan", str(path)]) == 1
    told = capsys.readouterr().out
    assert not set("\x1b\x07\u202e") & set(told)
    assert "\nok.txt" not in told
    assert SECRET not in told
    assert KEY not in told


def test_a_large_log_streams(tmp_path: Path) -> None:
    path = tmp_path / "big.log"
    line = b"2026-01-15T12:00:00Z INFO one of many lines, with 100% of what a log has & more\n"
    with path.open("wb") as file:
        file.write(line * 100_000)
        file.write(b"x" * 5_000_000 + b" " + KEY.encode() + b" " + b"y" * 3_000_000 + b"\n")
        file.write(SECRET.encode())
    tracemalloc.start()
    try:
        found = scanned(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [(f.where, f.kind) for f in found] == [
        ("100001", "API key"),
        ("100002", "webhook secret"),
    ]
    assert path.stat().st_size > 15_000_000
    assert peak < 12_000_000


@given(st.integers(-80, 80))
def test_a_piece_of_a_line_cuts_no_secret(shift: int) -> None:
    from io import StringIO

    from pay88kit import scan

    text = "z" * (scan._PIECE + shift) + " " + JWT + " " + "z" * 50
    found = list(Scan([])._lines("log", StringIO(text)))  # type: ignore[arg-type]
    assert [(f.kind, f.where) for f in found] == [("access token", "1")]


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = text_file(tmp_path, KEY)
    assert main(["scan", str(good), str(tmp_path / "gone")]) == 2
    told = capsys.readouterr()
    assert "gone: there is no such file" in told.err
    assert told.out == ""
    with pytest.raises(SystemExit) as stopped:
        main(["scan"])
    assert stopped.value.code == 2


def test_the_core_install_is_enough(tmp_path: Path) -> None:
    path = notebook(tmp_path, code("", shows(text_plain=KEY)))
    program = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
from pay88kit.cli import main
sys.exit(main(["scan", sys.argv[1]]))
"""
    extras = ("cryptography", "joserfc", "starlette", "uvicorn", "sqlalchemy", "platformdirs",
              "pandas", "pyarrow", "nbformat", "IPython")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), *extras], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_the_hook_calls_the_command() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert (hook["id"], hook["language"], hook["entry"]) == ("pay88-scan", "python", "pay88 scan")
