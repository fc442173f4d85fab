"""The judge of a merchant's endpoint, against merchants that are known: correct, or with one fault.

``python tests/tools/judge_merchants.py`` prints the whole table.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import re
import runpy
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import merchants
import pytest
from hypothesis import given
from hypothesis import strategies as st
from merchants import PATH, SECRET, SHORT, VARIANTS, WRONG, Wrong
from run_all import NODE
from support import Delivery, Endpoint, Say

from pay88kit import (
    ConfigError,
    ConnectionFailed,
    Inbox,
    Sandbox,
    WrongUse,
    check_endpoint,
    webhooks,
)
from pay88kit.cli import main
from pay88kit.endpoint_check import (
    PROBES,
    EndpointCheck,
    SignerFailed,
    Verdict,
    assert_endpoint,
    sample,
)
from pay88kit.endpoint_check import read as read_check
from pay88kit.endpoint_check import run as running
from pay88kit.endpoint_check.wire import Mask
from pay88kit.language import speak, translated

WITH, WITHOUT = True, False
# What only a count of effects shows.
UNSEEN = {
    *("repeated", "simultaneous", "pending_after_completed", "rejected_after_completed"),
    *("rejected", "unknown_status"),
}
TOKENS = {probe.name for probe in PROBES if probe.name.startswith(("token_", "amount_"))}


def judged(url: str, effects: bool = WITHOUT, **options: Any) -> EndpointCheck:
    """The merchant at ``url``, judged."""
    return check_endpoint(
        url + PATH, SECRET, effects=f"{url}/effects" if effects else None, **options
    )


def named(check: EndpointCheck, verdict: Verdict) -> set[str]:
    return {result.probe for result in check.results if result.verdict is verdict}


def faults(check: EndpointCheck) -> list[str]:
    return [result.probe for result in check.faults]


def xml(check: EndpointCheck) -> ElementTree.Element:
    return ElementTree.fromstring(check.junit().encode())  # noqa: S314 - what is tested wrote it


# ---------------------------------------------------------------- the sample merchants


@contextmanager
def merchant(kind: str) -> Iterator[str]:
    if kind == "node":
        program = NODE.find()
        if not program:
            pytest.skip(f"Node is missing. To install it: {NODE.install}")
        with merchants.node(program) as url:
            yield url
    elif kind == "flask":
        with merchants.flask() as url:
            yield url
    else:
        with merchants.fastapi(kind) as url:
            yield url


@pytest.mark.parametrize("kind", [*VARIANTS, "flask", "node"])
def test_a_correct_merchant_passes_twice(kind: str) -> None:
    with merchant(kind) as url:
        for _ in range(2):
            check = judged(url)
            assert check.ok
            assert named(check, Verdict.DOUBTFUL) == set()
            assert named(check, Verdict.NOT_OBSERVABLE) == UNSEEN | {"tls"}
            check = judged(url, WITH)
            assert check.ok
            assert named(check, Verdict.PASSES) == {probe.name for probe in PROBES} - {"tls"}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.fault)
@pytest.mark.parametrize("effects", [WITHOUT, WITH], ids=["status codes only", "effects counted"])
def test_exactly_the_fault_is_named(wrong: Wrong, effects: bool) -> None:
    expected = wrong.with_effects if effects else wrong.seen
    with merchants.fastapi(wrong.fault) as url:
        check = judged(url, effects, timeout=SHORT if wrong.short else 5)
    assert faults(check) == ([expected] if expected else [])
    assert check.ok is not bool(expected)
    alone = {r.probe for r in check.results if r.verdict is Verdict.DOUBTFUL and not r.follows}
    also = {"token_from_the_future"} if wrong.fault == "checks no signature" else set()
    assert alone == (also | {wrong.doubtful} - {""})


def test_every_probe_that_can_fail_has_its_merchant() -> None:
    shown = {name for wrong in WRONG for name in (wrong.seen, wrong.counted, wrong.doubtful)}
    # TLS has its own tests below.
    assert shown - {""} == {probe.name for probe in PROBES} - {"tls"}
    assert {wrong.doubtful for wrong in WRONG} - {""} == {
        probe.name for probe in PROBES if not probe.documented
    }


def test_an_answer_after_six_seconds_is_named_by_one_probe() -> None:
    with merchants.fastapi("answers late", slow=6) as url:
        started = time.monotonic()
        check = judged(url)
        assert time.monotonic() - started < 20
    assert faults(check) == ["answer_time"]
    assert check["completed"].follows == "answer_time"
    assert check["completed"].observed == "no answer in time within 5 s"


def test_the_kits_own_inbox_passes_on_its_clock() -> None:
    with Sandbox() as sandbox, Inbox(sandbox.config, books="sqlite://") as inbox:
        secret = sandbox.config.webhook_secret
        assert check_endpoint(inbox.url, secret, clock=sandbox.clock).ok
        # By this machine's clock, its tokens are from another time.
        assert not check_endpoint(inbox.url, secret).failures
        assert check_endpoint(inbox.url, secret)["completed"].verdict is Verdict.DOUBTFUL


# ---------------------------------------------------------------- another signature


def test_where_all_signed_calls_are_refused_signing_may_differ() -> None:
    with merchants.fastapi(secret=SECRET + "!") as url:
        check = judged(url)
    assert check.ok
    doubtful = named(check, Verdict.DOUBTFUL)
    assert doubtful >= TOKENS
    assert {"completed", "rejected", "repeated", "unknown_fields"} <= doubtful
    assert all("signing may differ" in check[name].observed for name in doubtful)
    assert {"broken_json", "get", "large_body"} <= named(check, Verdict.PASSES)


def other_cipher(id: str, amount: str, secret: str, **named: Any) -> str:
    """A token for an endpoint whose key is made otherwise."""
    return webhooks.sign(id, amount, secret + "!", **named).removeprefix("Bearer ")


def test_another_signer_is_taken_in_python_and_on_the_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with merchants.fastapi(secret=SECRET + "!") as url:
        assert named(judged(url, WITH, signer=other_cipher), Verdict.PASSES) >= TOKENS
        Path("signing.py").write_text(
            "from pay88kit import webhooks\n"
            "def other(id, amount, secret, **named):\n"
            "    return webhooks.sign(id, amount, secret + '!', **named)\n"
        )
        monkeypatch.setenv("PAY88_WEBHOOK_SECRET", SECRET)
        assert main(["webhook", "check", url + PATH, "--signer", "signing:other", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert {"probe": "completed", "verdict": "passes"}.items() <= results[2].items()


@pytest.mark.parametrize(
    "signer", [lambda *a, **k: 1 / 0, lambda *a, **k: None, lambda *a, **k: "a\nb"]
)
def test_a_signer_that_gives_no_header_is_named_before_anything_is_sent(signer: Any) -> None:
    with Endpoint() as endpoint:
        with pytest.raises(SignerFailed, match="signer: it"):
            check_endpoint(endpoint.url, SECRET, signer=signer)
        assert endpoint.received == []


# ---------------------------------------------------------------- effects


@pytest.mark.parametrize("answer", [b"many", b"-1", b"true", b'{"total": 1}', b"7"])
def test_a_count_that_is_none_is_named_before_anything_is_sent(answer: bytes) -> None:
    with Endpoint(lambda delivery: Say(body=answer)) as endpoint:
        with pytest.raises(WrongUse, match="effects: the address"):
            check_endpoint(endpoint.url, SECRET, effects=endpoint.url)
        assert {delivery.method for delivery in endpoint.received} == {"GET"}


def test_an_endpoint_that_does_not_know_the_transactions_is_told_so() -> None:
    def answer(delivery: Delivery) -> Say:
        return Say(body=b"0") if "reference=CHECK" in delivery.path else Say()

    with Endpoint(answer) as endpoint:
        check = check_endpoint(endpoint.url, SECRET, effects=f"{endpoint.url}/?key=mine")
    # The address' own query is kept.
    assert any("key=mine" in delivery.path for delivery in endpoint.received)
    assert check["completed"].verdict is Verdict.DOUBTFUL
    assert "does not know the transaction" in check["completed"].observed
    assert {check[name].verdict for name in UNSEEN} == {Verdict.NOT_OBSERVABLE}


# ---------------------------------------------------------------- what an endpoint may do


def test_a_hostile_answer_stays_text_and_shows_no_secret() -> None:
    evil = "<script>alert(1)</script>\x1b[2J\x00 & ]]> \uffff "

    def answer(delivery: Delivery) -> Say:
        token = delivery.headers.get("authorization", "")
        return Say(500, body=f"{evil} {SECRET} {token}".encode())

    with Endpoint(answer) as endpoint:
        check = check_endpoint(f"{endpoint.url}/?key=mine", SECRET)
    pages = [check.text(), check.json(), check.junit(), check._repr_html_(), repr(check)]
    pages.append(check.frame().to_csv())
    for page in pages:
        assert SECRET not in page
        assert "eyJ" not in page
        assert "key=mine" not in page
        assert "\x1b" not in page
    assert "<script" not in check._repr_html_()
    assert "<script" not in check.junit()
    suite = xml(check)
    assert "<script>alert(1)</script>" in suite.find(".//failure").get("message")


@given(st.text(min_size=4), st.text(), st.text())
def test_a_secret_is_never_shown(secret: str, before: str, after: str) -> None:
    hidden = "whsec_" + re.sub(r"\W", "0", secret)
    assert hidden not in Mask(hidden, ())(f"{before}{hidden}{after}")


def test_redirects_are_not_followed() -> None:
    with Endpoint() as other:
        to_other = Say(307, {"Location": f"{other.url}/there"})
        with Endpoint(lambda delivery: to_other) as endpoint:
            check = check_endpoint(endpoint.url, SECRET)
        assert other.received == []
    assert faults(check) == ["completed"]
    assert "there" in check["completed"].observed


def test_an_answer_that_never_ends_is_given_up() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.02)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        check = check_endpoint(
            f"http://127.0.0.1:{listener.getsockname()[1]}/", SECRET, timeout=0.3
        )
    assert faults(check) == ["answer_time"]


def test_an_endpoint_that_ends_at_the_large_body_fails_there() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as request:
                head = b"".join(iter(request.readline, b"\r\n")).lower()
                length = int(re.search(rb"content-length: (\d+)|$", head)[1] or 0)
                if length > 100_000:
                    listener.close()
                    return
                request.read(length)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    check = check_endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/", SECRET)
    assert check["large_body"].verdict is Verdict.FAILS
    assert "does not listen" in check["large_body"].observed


def test_nobody_there_is_one_error() -> None:
    with socket.socket() as silent:
        # Taken, and nobody listens.
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
        with pytest.raises(ConnectionFailed, match=r"no connection to .*Start the endpoint"):
            check_endpoint(url, SECRET)


def test_what_is_left_when_the_time_is_over_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "BUDGET", -1.0)
    with Endpoint() as endpoint:
        monkeypatch.setattr(running._Run, "_one", once(running._Run._one))
        check = check_endpoint(endpoint.url, SECRET)
        assert len(endpoint.received) == 1
    assert check["get"].verdict is Verdict.NOT_OBSERVABLE
    assert "are over" in check["get"].observed


def once(real: Any) -> Any:
    """The first probe is within the time."""

    async def one(run: Any, trace: Any) -> None:
        ends = run._ends
        if trace.probe.name == "answer_time":
            run._ends = time.monotonic() + 60
        await real(run, trace)
        run._ends = ends

    return one


def test_a_check_is_bounded_in_count() -> None:
    with Endpoint() as endpoint:
        check_endpoint(endpoint.url, SECRET)
        assert len(endpoint.received) <= running.MOST_CALLS <= 30


# ---------------------------------------------------------------- what is sent


def test_the_same_seed_and_clock_send_the_same_and_another_seed_another() -> None:
    with Sandbox() as one, Sandbox() as two, Endpoint() as endpoint:
        one.clock.advance(12_345)
        two.clock.advance(12_345)

        def sent(clock: Any, seed: int) -> list[Any]:
            endpoint.received.clear()
            running._used.clear()
            check_endpoint(endpoint.url, SECRET, clock=clock, seed=seed)
            calls = [(d.method, d.headers.get("authorization"), d.body) for d in endpoint.received]
            return sorted(map(repr, calls))

        first = sent(one.clock, 88)
        assert sent(two.clock, 88) == first
        assert sent(one.clock, 89) != first


def test_each_check_has_new_transactions() -> None:
    with Sandbox() as sandbox, Endpoint() as endpoint:
        checks = [check_endpoint(endpoint.url, SECRET, clock=sandbox.clock) for _ in range(2)]
    references = [{r.reference for r in check.results if r.reference} for check in checks]
    assert not references[0] & references[1]
    assert all(name.startswith("CHECK") and len(name) == 11 for name in references[0])


def test_no_nonce_serves_two_contents() -> None:
    with Endpoint() as endpoint:
        check_endpoint(endpoint.url, SECRET)
    tokens = {d.headers.get("authorization", "") for d in endpoint.received} - {""}
    nonces = [token.split(".")[2] for token in tokens]
    assert len(nonces) > 10
    assert len(set(nonces)) == len(nonces)


# ---------------------------------------------------------------- it asks first


@pytest.mark.parametrize("effects", [False, True])
def test_another_machine_is_sent_nothing_unasked(effects: bool) -> None:
    far, near = "http://shop.invalid/hook", "http://127.0.0.1:9/hook"
    with pytest.raises(WrongUse, match=r"to shop\.invalid\. Nothing was sent.*--mine"):
        check_endpoint(near if effects else far, SECRET, effects=far if effects else None)


@pytest.mark.parametrize(
    ("answer", "error"), [("y\n", ConnectionFailed), ("n\n", WrongUse), ("\n", WrongUse)]
)
def test_a_person_is_asked(
    answer: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    person = io.StringIO(answer)
    person.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", person)
    with pytest.raises(error):
        check_endpoint("http://shop.invalid/hook", SECRET)
    assert "Is that endpoint yours?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    ["shop.example/hook", "ftp://shop.example", "http://", "http://u:p@127.0.0.1/", "http://[/"],
)
def test_what_is_no_address_is_named(url: str) -> None:
    with pytest.raises(WrongUse, match=r"^url: "):
        check_endpoint(url, SECRET)


def test_a_secret_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="PAY88_WEBHOOK_SECRET"):
        check_endpoint("http://127.0.0.1:9/")
    Path(".env").write_text(f"PAY88_WEBHOOK_SECRET={SECRET}\n")
    with pytest.raises(ConnectionFailed):
        check_endpoint("http://127.0.0.1:9/")


# ---------------------------------------------------------------- TLS


@contextmanager
def encrypted(folder: Path, days: int) -> Iterator[str]:
    """An endpoint behind a certificate that signs itself; its file is ``ca.pem``."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(*[True] + [False] * 4 + [True] + [False] * 3)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(usage, True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None: ...

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()


def test_a_certificate_that_nobody_signed_is_named_by_the_tls_probe_alone(tmp_path: Path) -> None:
    with encrypted(tmp_path, 365) as url:
        check = check_endpoint(url, SECRET)
    assert check["tls"].verdict is Verdict.FAILS
    assert "self-signed" in check["tls"].observed
    assert check["completed"].verdict is Verdict.PASSES


@pytest.mark.parametrize(
    ("days", "verdict", "said"),
    [
        (365, Verdict.PASSES, "TLSv1.3, certificate until"),
        (5, Verdict.DOUBTFUL, "renew it"),
        (-1, Verdict.FAILS, "expired"),
    ],
)
def test_a_trusted_certificate_is_judged_by_its_time(
    days: int, verdict: Verdict, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with encrypted(tmp_path, days) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        check = check_endpoint(url, SECRET)
    assert check["tls"].verdict is verdict
    assert said in check["tls"].observed


# ---------------------------------------------------------------- results


@pytest.fixture(scope="module")
def failing() -> EndpointCheck:
    """A check with a failure, a doubt, passes, and what is not observable."""
    with merchants.fastapi("checks no signature") as url:
        return judged(url)


def test_the_text_has_cause_and_cure_of_the_fault_and_names_what_follows(
    failing: EndpointCheck,
) -> None:
    text = failing.text()
    assert "FAILS" in text
    assert "\ntoken_missing: fails\n" in text
    assert "fix:       Answer 401 where there is no bearer token" in text
    assert "4 more findings follow from token_missing." in text or "from token_missing." in text
    assert "To be mended first: token_missing." in text
    assert "Give --effects URL" in text
    assert str(failing) in text


def test_the_frame_has_a_row_for_each_probe(failing: EndpointCheck) -> None:
    frame = failing.frame()
    assert list(frame["probe"]) == [probe.name for probe in PROBES]
    assert {"verdict", "sent", "expected", "observed", "why", "fix", "basis"} <= set(frame)


def test_json_goes_there_and_back(failing: EndpointCheck) -> None:
    failing.save("check.json")
    again = read_check("check.json")
    assert again == failing
    assert json.loads(failing.json())["faults"] == ["token_missing"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"url": 1}', '{"results": [1]}'])
def test_another_file_is_refused(content: str) -> None:
    Path("other.json").write_text(content)
    with pytest.raises(WrongUse, match=r"results: other\.json was not written"):
        read_check("other.json")
    with pytest.raises(WrongUse, match="cannot be read"):
        read_check("missing.json")


def test_junit_counts_as_the_results_do(failing: EndpointCheck) -> None:
    suite = xml(failing)[0]
    assert suite.get("tests") == str(len(PROBES))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "5"
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped"))) == "7"
    assert len(suite.findall("testcase/system-out")) == 1


def test_assert_endpoint_says_what_fails_and_how_to_mend_it() -> None:
    with merchants.fastapi("checks no amount") as url, pytest.raises(AssertionError) as caught:
        assert_endpoint(url + PATH, SECRET)
    assert "amount_changed: fails" in str(caught.value)
    assert "Compare the token's transaction_amount" in str(caught.value)
    assert SECRET not in str(caught.value)
    with merchants.fastapi() as url:
        assert assert_endpoint(url + PATH, SECRET, effects=f"{url}/effects").ok


def test_it_runs_in_a_notebooks_event_loop() -> None:
    async def cell() -> EndpointCheck:
        return check_endpoint(endpoint.url, SECRET)

    with Endpoint() as endpoint:
        assert asyncio.run(cell())["completed"].verdict is Verdict.PASSES


# ---------------------------------------------------------------- in Spanish


@pytest.fixture
def in_spanish() -> Iterator[None]:
    speak("es")
    yield
    speak("en")


def cells(check: EndpointCheck) -> dict[str, tuple[str, ...]]:
    """The rows of the table of all probes, by their names."""
    return {row[0]: row[1:] for row in check.table().rows}


def test_every_text_of_a_probe_has_its_spanish() -> None:
    texts = {
        text for probe in PROBES
        for text in (probe.sent, probe.expected, probe.why, probe.fix, probe.basis)
    }  # fmt: skip
    assert {text for text in texts if translated(text, "es") == text} == {"200"}


def test_a_file_that_was_made_in_english_is_shown_in_spanish(
    failing: EndpointCheck, in_spanish: None
) -> None:
    failing.save("check.json")
    check = read_check("check.json")
    assert check.json() == failing.json()
    assert "not observable from outside" in check.json()
    assert cells(check)["rejected"] == (
        "no se observa desde fuera",
        "una notificación REJECTED válida",
        "200, y no se despacha nada",
        '200 {"received":true}; no se ve lo que se despacha',
    )
    told = check._repr_html_() + check.summary()
    for english in ("fails", "doubtful", "a COMPLETED notification", "88Pay documents"):
        assert english in failing.json()
        assert english not in told
    assert "Se debe corregir primero: token_missing." in check.summary()


def test_what_the_endpoint_said_stays_as_it_is_whatever_it_resembles(in_spanish: None) -> None:
    words = "what is fulfilled is not seen, then {reason} 500; fulfilments counted: 3"
    with Endpoint(lambda delivery: Say(500, body=words.encode())) as endpoint:
        check_endpoint(endpoint.url, SECRET).save("check.json")
    shown = cells(read_check("check.json"))
    assert shown["completed"][-1] == f"500 {words}"
    assert shown["repeated"][-1] == f"500 {words}, luego 500 {words}"
    assert shown["simultaneous"][-1] == f"500 {words} y 500 {words}"


def test_late_lost_redirected_and_counted_answers_are_told_in_spanish(in_spanish: None) -> None:
    with merchants.fastapi("answers late") as url:
        late = cells(judged(url, timeout=SHORT))
    with merchants.fastapi("redirects") as url:
        sent_on = cells(judged(url))
    with merchants.fastapi("looks first, writes later") as url:
        counted = cells(judged(url, WITH))
    with merchants.fastapi(secret=SECRET + "!") as url:
        refused = cells(judged(url))
    assert late["completed"][-1] == f"sin respuesta dentro de {SHORT:g} s"
    assert " hacia " in sent_on["completed"][-1]
    assert "despachos contados: 0 → 2" in counted["simultaneous"][-1]
    assert counted["simultaneous"][-1].endswith("lo correcto es 1 como máximo")
    assert "la firma puede ser distinta" in refused["completed"][-1]


@pytest.mark.parametrize(
    "said",
    [
        "older",
        None,
        "200",
        {"sentence": "{answers:>99999999999}", "values": {"answers": "200"}},
        {"sentence": "{answers}; fulfilments counted: {counts}", "values": {"answers": "200"}},
        {"sentence": "not sent: {why}", "values": {"why": "something else"}},
    ],
    ids=["older kit", "null", "text", "no sentence of the kit's", "a value missing", "another"],
)
def test_where_a_file_does_not_say_how_it_was_put_its_words_are_shown(
    said: Any, in_spanish: None
) -> None:
    record = sample().record()
    (completed,) = (each for each in record["results"] if each["probe"] == "completed")
    if said == "older":
        del completed["said"]
    else:
        completed["said"] = said
    Path("older.json").write_text(json.dumps(record))
    shown = cells(read_check("older.json"))["completed"]
    assert shown[1] == "una notificación COMPLETED válida"
    assert shown[-1] == '200 {"received":true}; fulfilments counted: 1'


# ---------------------------------------------------------------- the command, and the report


def test_the_command_ends_with_1_when_a_probe_fails_and_writes_what_it_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))
    with merchants.fastapi("checks no amount") as url:
        command = ["webhook", "check", url + PATH, "--secret", "-", "--junit", "check.xml"]
        assert main([*command, "--effects", f"{url}/effects", "--html", "out"]) == 1
    said = capsys.readouterr().out
    assert "FAILS" in said
    assert SECRET not in said
    assert 'failures="1"' in Path("check.xml").read_text(encoding="utf-8")
    (page,) = Path("out").glob("webhook_check*.html")
    assert said.rstrip().endswith(str(page))
    shown = html.unescape(page.read_text(encoding="utf-8"))
    assert "To be mended first: amount_changed" in shown
    assert "Compare the token's transaction_amount" in shown
    assert page.name.startswith("webhook_check-webhook_check-")
    for file in Path("out").rglob("*"):
        assert file.is_dir() or SECRET.encode() not in file.read_bytes()


def test_a_secret_on_the_command_line_is_taken_with_a_word_of_caution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with merchants.fastapi() as url:
        assert main(["webhook", "check", url + PATH, "--secret", SECRET]) == 0
    assert "history" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["https://shop.invalid/hook"], "--mine"),
        (["http://127.0.0.1:9/", "--signer", "no_such_module:sign"], "Write module:function"),
        (["http://127.0.0.1:9/", "--signer", "json"], "Write module:function"),
        (["http://127.0.0.1:9/", "--signer", "sys:path"], "is no function"),
        (["http://127.0.0.1:9/", "--junit", "no/such/folder.xml"], "junit: there is no folder"),
        (["shop.example"], "no web address"),
    ],
)
def test_wrong_use_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PAY88_WEBHOOK_SECRET", SECRET)
    assert main(["webhook", "check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_sample_of_the_report_is_what_a_check_says_today() -> None:
    tool = Path(__file__).parent / "tools" / "write_sample_check.py"
    assert sample() == runpy.run_path(str(tool))["fresh"]()
