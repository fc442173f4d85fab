"""88Pay's own paths on the local sandbox, as contract.md describes them (sections 2 to 6 and 9)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st
from support import (
    BALANCE,
    BANK_DETAILS,
    CASH,
    CASHOUT,
    CHARGES,
    MERCHANT,
    PATHS,
    TOKEN,
    Caller,
    caller,
    cashout_body,
    charge_body,
    in_process,
    plain_http,
    served,
)

from pay88kit import Sandbox
from pay88kit.sandbox.limits import LIMITS

START = int(datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC).timestamp())
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TOO_MANY = "Rate limit exceeded. Please try again later."


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def shop(sandbox: Sandbox) -> Caller:
    return caller(sandbox)


def is_error(answer: httpx.Response, status: int, message: str | None = None) -> bool:
    """Whether an answer is 88Pay's envelope of an error."""
    body = answer.json()
    assert answer.status_code == status, answer.text
    assert body.keys() - {"retry_after"} == {"status", "code", "message"}
    assert body["status"] == "Error"
    assert body["code"] == status
    assert isinstance(body["message"], str)
    assert body["message"]
    assert message is None or body["message"] == message
    return True


def data_of(answer: httpx.Response, message: str) -> dict[str, Any]:
    """The data in 88Pay's envelope of a success."""
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert {name: body[name] for name in ("status", "code", "message")} == {
        "status": "Success",
        "code": 200,
        "message": message,
    }
    assert body.keys() == {"status", "code", "message", "data"}
    data = body["data"]
    assert isinstance(data, dict)
    return data


# ---------------------------------------------------------------- tokens


def test_a_token_is_answered_as_documented(shop: Caller) -> None:
    data = data_of(shop.token(), "Token generated successfully")
    assert data.keys() == {"access_token", "expires_in", "session_id"}
    assert data["expires_in"] == 60
    assert re.fullmatch(f"sess_{UUID4}", data["session_id"])


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


# The curve of ES256: NIST P-256.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A = P - 3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def plus(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % P == 0:
        return None
    if one == two:
        slope = (3 * one[0] ** 2 + A) * pow(2 * one[1], -1, P)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, P)
    x = (slope**2 - one[0] - two[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def times(factor: int, point: Point) -> Point:
    total: Point = None
    for bit in bin(factor % N)[2:]:
        total = plus(total, total)
        if bit == "1":
            total = plus(total, point)
    return total


def signers(token: str) -> set[Point]:
    """The public keys under which a token's signature would be right: ECDSA allows two."""
    signed, _, signature = token.rpartition(".")
    raw = decoded(signature)
    assert len(raw) == 64
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    digest = hashes.Hash(hashes.SHA256())
    digest.update(signed.encode())
    e = int.from_bytes(digest.finalize(), "big")
    y = pow(r**3 + A * r + B, (P + 1) // 4, P)
    inverse = pow(r, -1, N)
    return {
        times(inverse, plus(times(s, (r, side)), times(-e, G))) for side in (y, P - y)
    }  # fmt: skip


def is_signed_by(token: str, key: Point) -> bool:
    assert key is not None
    signed, _, signature = token.rpartition(".")
    raw = decoded(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    public = ec.EllipticCurvePublicNumbers(*key, ec.SECP256R1()).public_key()
    try:
        public.verify(utils.encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def test_a_token_is_a_jwt_with_the_documented_claims(shop: Caller, sandbox: Sandbox) -> None:
    sandbox.clock.advance(5)
    header, claims, _ = shop.token().json()["data"]["access_token"].split(".")
    assert json.loads(decoded(header))["alg"] == "ES256"
    assert json.loads(decoded(claims)) == {
        "merchant_id": MERCHANT,
        "iat": START + 5,
        "exp": START + 65,
    }


def test_tokens_are_signed_with_es256_by_one_key(shop: Caller) -> None:
    one, two = (shop.token().json()["data"]["access_token"] for _ in range(2))
    # No public key is handed out: it is what the two signatures have in common.
    (key,) = signers(one) & signers(two)
    assert is_signed_by(one, key)
    assert is_signed_by(two, key)
    head, claims, signature = one.split(".")
    assert not is_signed_by(f"{head}.{claims[:-1]}A.{signature}", key)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-merchant-id": MERCHANT},
        {"x-merchant-id": MERCHANT, "x-api-key": "sk_test_wrong"},
        {"x-merchant-id": MERCHANT, "x-api-key": ""},
        {"x-merchant-id": "MCH-COL-OTHER1", "x-api-key": "right"},
        {"x-api-key": "right"},
    ],
)
def test_wrong_credentials_get_no_token(shop: Caller, headers: dict[str, str]) -> None:
    if headers.get("x-api-key") == "right":
        headers = headers | {"x-api-key": shop.api_key}
    answer = shop.http.post(TOKEN, headers=headers)
    assert is_error(answer, 401, "Invalid API key or merchant ID")


def test_the_key_of_another_merchant_gets_no_token(sandbox: Sandbox, shop: Caller) -> None:
    other = sandbox.merchant(merchant_id="MCH-COL-OTHER1")
    stranger = Caller(shop.http, MERCHANT, other["api_key"])
    assert is_error(stranger.token(), 401, "Invalid API key or merchant ID")


AUTHENTICATED = [
    (CHARGES, charge_body(), None),
    (CASH, charge_body("CASH"), None),
    (CASHOUT, cashout_body(), None),
    (BALANCE, None, {"id": MERCHANT}),
]


@pytest.mark.parametrize(("path", "body", "params"), AUTHENTICATED)
def test_a_call_needs_a_token_and_its_own_session(
    shop: Caller, path: str, body: Any, params: Any
) -> None:
    good, other = shop.headers(), shop.headers()
    bad = {
        "nothing": {},
        "no session": {"Authorization": good["Authorization"]},
        "no token": {"x-session-id": good["x-session-id"]},
        "other session": good | {"x-session-id": other["x-session-id"]},
        "no bearer": good | {"Authorization": good["Authorization"].removeprefix("Bearer ")},
        "unknown token": good | {"Authorization": "Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA"},
    }
    for what, headers in bad.items():
        answer = shop.post(path, body, headers=headers, params=params)
        assert is_error(answer, 401, "Invalid or expired token"), what
    assert shop.post(path, body, headers=good, params=params).status_code in (200, 422)


def test_a_token_lives_sixty_seconds(sandbox: Sandbox, shop: Caller) -> None:
    headers = shop.headers()
    sandbox.clock.advance(59)
    answer = shop.post(BALANCE, headers=headers, params={"id": MERCHANT})
    assert answer.status_code == 200
    sandbox.clock.advance(1)
    answer = shop.post(BALANCE, headers=headers, params={"id": MERCHANT})
    assert is_error(answer, 401, "Invalid or expired token")


def test_several_tokens_are_alive_at_once(shop: Caller) -> None:
    tokens = [shop.headers() for _ in range(3)]
    assert len({headers["Authorization"] for headers in tokens}) == 3
    for headers in tokens:
        answer = shop.post(BALANCE, headers=headers, params={"id": MERCHANT})
        assert answer.status_code == 200


# ---------------------------------------------------------------- paths, methods, order of checks


@pytest.mark.parametrize("path", ["/", "/api", "/api/transactions", "/api/balance/", "/api/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found(shop: Caller, path: str, method: str) -> None:
    assert is_error(shop.http.request(method, path), 404)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_allowed(shop: Caller, path: str, method: str) -> None:
    answer = shop.http.request(method, path)
    assert is_error(answer, 405)
    assert answer.headers["allow"] == "POST"


def test_a_suspended_merchant_is_refused_everywhere(sandbox: Sandbox, shop: Caller) -> None:
    headers = shop.headers()
    sandbox.merchant(merchant_id=MERCHANT, suspended=True)
    assert is_error(shop.token(), 403)
    for path, body, params in AUTHENTICATED:
        assert is_error(shop.post(path, body, headers=headers, params=params), 403)
    sandbox.merchant(merchant_id=MERCHANT, suspended=False)
    assert shop.token().status_code == 200


def test_the_first_thing_wrong_decides_the_status() -> None:
    with Sandbox(limits={"transactions": (1, 1_000)}) as sandbox:
        shop = caller(sandbox)
        headers = shop.headers()
        wrong_form_and_rule = charge_body("NEQUI", country="MEX", currency="MXN", amount="1")

        def status(method: str = "POST", path: str = CHARGES, **kwargs: Any) -> int:
            answer = shop.http.request(method, path, json=wrong_form_and_rule, **kwargs)
            assert is_error(answer, answer.status_code)
            return answer.status_code

        # Each line mends what the one before stumbled over.
        sandbox.merchant(merchant_id=MERCHANT, suspended=True)
        assert status("GET", "/api/nowhere") == 404
        assert status("GET") == 405
        assert status() == 401
        assert status(headers=headers) == 403
        sandbox.merchant(merchant_id=MERCHANT, suspended=False)
        assert status(headers=headers) == 429
        sandbox.clock.advance(59)
        headers = shop.headers()
        sandbox.clock.advance(1)
        assert status(headers=headers) == 400
        sandbox.clock.advance(55)
        headers = shop.headers()
        sandbox.clock.advance(5)
        answer = shop.post(
            CHARGES, charge_body("NEQUI", country="MEX", currency="MXN"), headers=headers
        )
        assert is_error(answer, 422)


# ---------------------------------------------------------------- charges

COMMON = {"reference", "customer_id", "currency", "amount"}
CHECKOUT = COMMON | {"urlCheckout"}
TRANSFER = COMMON | {"bank_details"}
VOUCHER = COMMON | {"voucher_url", "payment_code", "expires_at"}
DEPOSIT = COMMON | {"deposit_address", "network", "qr_code_url"}


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("CARDS", CHECKOUT),
        ("NEQUI", CHECKOUT),
        ("DAVIPLATA", CHECKOUT),
        ("PAYPAL", CHECKOUT),
        ("PSE", CHECKOUT),
        ("BANK_TRANSFER", TRANSFER),
        ("SPEI", TRANSFER),
        ("CASH", VOUCHER),
        ("OXXO", VOUCHER),
        ("USDT", DEPOSIT),
    ],
)
def test_each_method_answers_its_own_fields(shop: Caller, method: str, fields: set[str]) -> None:
    body = charge_body(method)
    data = data_of(shop.post(CHARGES, body), "Method processed")
    assert data.keys() == fields
    assert re.fullmatch("[A-Z0-9]{11}", data["reference"])
    for name in ("customer_id", "currency", "amount"):
        assert data[name] == body[name]
    if "urlCheckout" in data:
        assert re.fullmatch(r"http://pay88\.local/checkout/[A-Z0-9]{7}", data["urlCheckout"])
    if "bank_details" in data:
        assert data["bank_details"].keys() == {
            "bank_name",
            "account_number",
            "account_type",
            "holder_name",
            "identification",
            "reference_number",
        }
        assert data["bank_details"]["reference_number"] == data["reference"]
        assert all(isinstance(v, str) and v for v in data["bank_details"].values())
    if "payment_code" in data:
        assert re.fullmatch(r"88PAY\d{9}", data["payment_code"])
        assert data["expires_at"] == "2026-01-18T12:00:00Z"
        assert data["voucher_url"].startswith("http://pay88.local/")
    if "network" in data:
        assert data["network"] == "TRC20"
        assert data["deposit_address"]
        assert data["qr_code_url"].startswith("http://pay88.local/")


def test_a_charge_starts_pending(sandbox: Sandbox, shop: Caller) -> None:
    reference = shop.charge()
    assert sandbox.transaction(reference)["status"] == "PENDING"


@pytest.mark.parametrize("method", ["CASH", "OXXO"])
def test_the_cash_path_takes_the_same_body(shop: Caller, method: str) -> None:
    data = data_of(shop.post(CASH, charge_body(method)), "Method processed")
    assert data.keys() == VOUCHER


def test_the_cash_path_takes_no_other_method(shop: Caller) -> None:
    answer = shop.post(CASH, charge_body("PSE"))
    assert is_error(answer, 400)
    assert answer.json()["message"].startswith("method_code:")


@pytest.mark.parametrize("amount", ["50000.5", "50000.25", "0.01", "50000.00", "5e3"])
def test_an_amount_comes_back_exactly_as_a_number(shop: Caller, amount: str) -> None:
    text = json.dumps(charge_body(amount=0)).replace('"amount": 0', f'"amount": {amount}')
    answer = shop.post(CHARGES, text.encode())
    assert answer.status_code == 200, answer.text
    numbers = {"parse_float": Decimal, "parse_int": Decimal}
    back = json.loads(answer.content, **numbers)["data"]["amount"]
    assert isinstance(back, Decimal)
    assert back == Decimal(amount)


def test_unknown_fields_are_ignored(shop: Caller) -> None:
    assert shop.post(CHARGES, charge_body(order={"id": 1}, note=None)).status_code == 200


@pytest.mark.parametrize("method", ["CARDS", "NEQUI", "DAVIPLATA", "PAYPAL"])
def test_card_and_wallet_need_a_return_url(shop: Caller, method: str) -> None:
    answer = shop.post(CHARGES, charge_body(method, return_url=...))
    assert is_error(answer, 400)
    assert answer.json()["message"].startswith("return_url:")


@pytest.mark.parametrize("method", ["PSE", "BANK_TRANSFER", "CASH", "OXXO", "SPEI", "USDT"])
def test_the_others_need_no_return_url(shop: Caller, method: str) -> None:
    assert shop.post(CHARGES, charge_body(method, return_url=...)).status_code == 200


@pytest.mark.parametrize(
    ("currency", "country"), [("USD", "COL"), ("EUR", "COL"), ("COP", "COL"), ("MXN", "MEX")]
)
def test_paypal_takes_dollars_euros_and_the_local_currency(
    shop: Caller, currency: str, country: str
) -> None:
    body = charge_body("PAYPAL", currency=currency, country=country)
    assert shop.post(CHARGES, body).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hook?a=1",
        "https://shop.example:8443/hook",
        "http://127.0.0.1:8000/hook",
        "http://localhost:8000/hook",
        "http://[::1]:8000/hook",
        "https://8.8.8.8/hook",
    ],
)
def test_public_and_loopback_addresses_are_accepted(shop: Caller, url: str) -> None:
    assert shop.post(CHARGES, charge_body(notification_url=url)).status_code == 200


TEXTS = [
    "method_code",
    "method_category",
    "currency",
    "country",
    "description",
    "customer_id",
    "notification_url",
    "flow",
]
FAULTS: list[tuple[str, Any]] = [
    *((name, bad) for name in TEXTS for bad in (..., None, "", "  ", 5, True, ["a"], {"a": 1})),
    *(("amount", bad) for bad in (..., None, "50000", True, [], {}, 0, -5, 50000.001, 10**17)),
    ("flow", "PAYOUT"),
    ("flow", "payin"),
    ("method_code", "pse"),
    ("method_code", "BITCOIN"),
    ("method_category", "CARD"),
    ("method_category", "OTHER"),
    ("currency", "MXN"),
    ("currency", "XYZ"),
    ("currency", "cop"),
    ("country", "CO"),
    ("country", "XXX"),
    ("description", "x" * 256),
    ("description", "half \ud800 a character"),
    ("customer_id", "half \udfff a character"),
    ("notification_url", "http://shop.example/hook"),
    ("notification_url", "shop.example/hook"),
    ("notification_url", "ftp://shop.example/hook"),
    ("notification_url", "https://10.0.0.7/hook"),
    ("notification_url", "https://192.168.1.1/hook"),
    ("notification_url", "https://172.16.0.1/hook"),
    ("notification_url", "https://169.254.169.254/hook"),
    ("notification_url", "https://[fd00::1]/hook"),
    ("notification_url", "https://intranet/hook"),
    ("notification_url", "https://printer.local/hook"),
    ("notification_url", "http://10.0.0.7/hook"),
    ("notification_url", "https://"),
    ("notification_url", "https://shop.example:99999/hook"),
    ("return_url", "thanks"),
    ("return_url", 5),
    ("return_url", ""),
    ("return_url", "https://shop.example/\ud800"),
]


@pytest.mark.parametrize(("field", "value"), FAULTS)
def test_a_bad_field_is_named(shop: Caller, field: str, value: Any) -> None:
    answer = shop.post(CHARGES, charge_body(**{field: value}))
    assert is_error(answer, 400)
    assert answer.json()["message"].startswith(f"{field}:")


def test_a_description_may_have_255_characters(shop: Caller) -> None:
    assert shop.post(CHARGES, charge_body(description="ñ" * 255)).status_code == 200


@pytest.mark.parametrize(
    ("method", "country", "currency"),
    [
        ("NEQUI", "MEX", "MXN"),
        ("DAVIPLATA", "CHL", "CLP"),
        ("PSE", "BRA", "BRL"),
        ("OXXO", "COL", "COP"),
        ("SPEI", "COL", "COP"),
    ],
)
def test_a_method_that_is_not_available_in_the_country_breaks_a_rule(
    shop: Caller, method: str, country: str, currency: str
) -> None:
    answer = shop.post(CHARGES, charge_body(method, country=country, currency=currency))
    assert is_error(answer, 422)
    assert answer.json()["message"].startswith("method_code:")


@pytest.mark.parametrize(
    ("method", "country", "currency", "low", "high"),
    [
        ("CARDS", "COL", "COP", 5_000, 20_000_000),
        ("CARDS", "MEX", "MXN", 20, 100_000),
        ("NEQUI", "COL", "COP", None, 3_000_000),
        ("DAVIPLATA", "COL", "COP", None, 2_000_000),
        ("PSE", "COL", "COP", None, 50_000_000),
        ("BANK_TRANSFER", "ECU", "USD", None, 50_000),
    ],
)
def test_limits_are_allowed_and_what_is_beyond_them_is_not(
    shop: Caller, method: str, country: str, currency: str, low: int | None, high: int
) -> None:
    def answer(amount: Any) -> httpx.Response:
        body = charge_body(method, country=country, currency=currency, amount=amount)
        return shop.post(CHARGES, body)

    beyond = [high + 0.01]
    assert answer(high).status_code == 200
    if low is not None:
        assert answer(low).status_code == 200
        beyond.append(low - 0.01)
    for amount in beyond:
        refused = answer(amount)
        assert is_error(refused, 422)
        assert refused.json()["message"].startswith("amount:")


def test_a_limit_in_another_currency_is_not_enforced(shop: Caller) -> None:
    assert shop.post(CHARGES, charge_body("BANK_TRANSFER", amount=10**9)).status_code == 200
    body = charge_body("CARDS", country="BRA", currency="BRL", amount=1)
    assert shop.post(CHARGES, body).status_code == 200


# ---------------------------------------------------------------- cashouts


def test_a_cashout_is_answered_with_the_four_fields(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("profitable")
    data = data_of(shop.post(CASHOUT, cashout_body()), "Method processed")
    assert data.keys() == COMMON
    assert (data["customer_id"], data["currency"], data["amount"]) == ("supplier-7", "COP", 50000)
    assert sandbox.transaction(data["reference"])["status"] == "PENDING"
    sandbox.clock.advance(365 * 24 * 3600)
    assert sandbox.transaction(data["reference"])["status"] == "PENDING"


def test_a_cashout_beyond_the_funds_is_refused(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("profitable")  # available 300,000.00
    answer = shop.post(CASHOUT, cashout_body(amount=300_000.01))
    assert is_error(answer, 422, "Insufficient funds")
    assert shop.post(CASHOUT, cashout_body(amount=200_000)).status_code == 200
    # The pending one holds its amount, though no figure of the balance shows it.
    assert shop.balance()["total_available"] == "300000.00"
    answer = shop.post(CASHOUT, cashout_body(amount=100_000.01))
    assert is_error(answer, 422, "Insufficient funds")
    assert shop.post(CASHOUT, cashout_body(amount=100_000)).status_code == 200


def test_credit_counts_for_a_cashout(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.merchant(merchant_id=MERCHANT, credit_limit=100_000)
    answer = shop.post(CASHOUT, cashout_body(amount=100_000.01))
    assert is_error(answer, 422, "Insufficient funds")
    sandbox.complete(shop.cashout(amount=60_000))
    answer = shop.post(CASHOUT, cashout_body(amount=40_000.01))
    assert is_error(answer, 422, "Insufficient funds")
    assert shop.post(CASHOUT, cashout_body(amount=40_000)).status_code == 200


def test_a_rejected_cashout_gives_its_amount_free(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("profitable")
    sandbox.reject(shop.cashout(amount=300_000))
    assert shop.post(CASHOUT, cashout_body(amount=300_000)).status_code == 200


def test_a_cashout_in_another_currency_breaks_a_rule(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("profitable")
    answer = shop.post(CASHOUT, cashout_body(amount=10, currency="MXN", country="MEX"))
    assert is_error(answer, 422)
    assert answer.json()["message"].startswith("currency:")


@pytest.mark.parametrize("field", ["amount", "customer_id"])
@pytest.mark.parametrize(
    ("value", "required"), [(..., True), (None, True), ("", False), ([], False), (True, False)]
)
def test_only_a_field_that_is_missing_is_called_required(
    shop: Caller, field: str, value: Any, required: bool
) -> None:
    message = shop.post(CHARGES, charge_body(**{field: value})).json()["message"]
    assert message.startswith(f"{field}: {'required; ' * required}send it as ")


CASHOUT_FAULTS = [
    *((name, bad) for name in TEXTS for bad in (..., "", 5)),
    ("amount", "50000"),
    ("amount", 0),
    ("flow", "PAYIN"),
    ("method_code", "PSE"),
    ("method_category", "CARD"),
    ("bank_details", ...),
    ("bank_details", "1234567890"),
    ("bank_details", []),
]


@pytest.mark.parametrize(("field", "value"), CASHOUT_FAULTS)
def test_a_bad_field_of_a_cashout_is_named(shop: Caller, field: str, value: Any) -> None:
    answer = shop.post(CASHOUT, cashout_body(**{field: value}))
    assert is_error(answer, 400)
    assert answer.json()["message"].startswith(f"{field}:")


@pytest.mark.parametrize("name", BANK_DETAILS)
def test_each_bank_detail_is_needed(shop: Caller, name: str) -> None:
    for bad in ("", None, 5):
        answer = shop.post(CASHOUT, cashout_body(bank_details=BANK_DETAILS | {name: bad}))
        assert is_error(answer, 400)
        assert answer.json()["message"].startswith(f"bank_details.{name}:")


# ---------------------------------------------------------------- balance


def test_a_new_merchants_balance_is_answered_as_documented(shop: Caller) -> None:
    data = data_of(shop.post(BALANCE, params={"id": MERCHANT}), "OK")
    assert data == {
        "merchant_id": MERCHANT,
        "balance_summary": {
            "total_payin": "0.00",
            "total_payout": "0.00",
            "total_settled": "0.00",
            "total_available": "0.00",
            "net_balance": 0,
        },
        "message": "Balance calculated successfully",
    }


def test_the_balance_needs_ones_own_id(sandbox: Sandbox, shop: Caller) -> None:
    other = sandbox.merchant(merchant_id="MCH-COL-OTHER1")["merchant_id"]
    for unknown in (other, "MCH-COL-NOBODY"):
        answer = shop.post(BALANCE, params={"id": unknown})
        assert is_error(answer, 403)
        assert answer.json()["message"].startswith("id:")
    for params in ({}, {"id": ""}):
        answer = shop.post(BALANCE, params=params)
        assert is_error(answer, 400)
        assert answer.json()["message"].startswith("id:")


def test_merchants_are_kept_apart(sandbox: Sandbox, shop: Caller) -> None:
    record = sandbox.merchant(country="MEX")
    other = Caller(shop.http, record["merchant_id"], record["api_key"])
    sandbox.complete(shop.charge(amount=70_000))
    sandbox.complete(other.charge("SPEI", amount=300))
    assert shop.balance()["total_payin"] == "70000.00"
    assert other.balance()["total_payin"] == "300.00"
    assert len(sandbox.transactions(MERCHANT)) == 1
    mixed = shop.headers() | {"x-session-id": other.headers()["x-session-id"]}
    answer = shop.post(BALANCE, headers=mixed, params={"id": MERCHANT})
    assert is_error(answer, 401, "Invalid or expired token")


# ---------------------------------------------------------------- rate limits


def limit_headers(answer: httpx.Response) -> tuple[int, int, int]:
    names = ("limit", "remaining", "reset")
    return tuple(int(answer.headers[f"x-ratelimit-{name}"]) for name in names)  # type: ignore[return-value]


def is_limited(answer: httpx.Response, seconds: int) -> bool:
    assert is_error(answer, 429, TOO_MANY)
    assert answer.json()["retry_after"] == seconds
    assert answer.headers["retry-after"] == str(seconds)
    assert answer.headers["x-ratelimit-remaining"] == "0"
    return True


def test_ten_tokens_a_minute_and_the_eleventh_waits() -> None:
    with Sandbox() as sandbox:
        shop = caller(sandbox)
        for taken in range(1, 11):
            answer = shop.token()
            assert answer.status_code == 200
            assert limit_headers(answer) == (10, 10 - taken, START + 60)
        answer = shop.token()
        assert is_limited(answer, 60)
        assert limit_headers(answer) == (10, 0, START + 60)
        # The window is half-open: full until the very moment, free from it.
        sandbox.clock.advance(59)
        assert is_limited(shop.token(), 1)
        sandbox.clock.advance(0.5)
        assert is_limited(shop.token(), 1)
        sandbox.clock.advance(0.5)
        assert [shop.token().status_code for _ in range(11)] == [200] * 10 + [429]


def test_the_window_slides() -> None:
    with Sandbox() as sandbox:
        shop = caller(sandbox)
        for _ in range(10):
            assert shop.token().status_code == 200
            sandbox.clock.advance(5)
        # 50 s on: the first token's place frees in 10 s, the second's 5 s later.
        answer = shop.token()
        assert is_limited(answer, 10)
        assert limit_headers(answer)[2] == START + 60
        sandbox.clock.advance(10)
        assert limit_headers(shop.token()) == (10, 0, START + 65)
        assert is_limited(shop.token(), 5)


def test_a_hundred_tokens_an_hour() -> None:
    with Sandbox() as sandbox:
        shop = caller(sandbox)
        for _ in range(10):
            assert all(shop.token().status_code == 200 for _ in range(10))
            sandbox.clock.advance(60)
        answer = shop.token()
        assert is_limited(answer, 3_000)
        sandbox.clock.advance(2_999)
        assert is_limited(shop.token(), 1)
        sandbox.clock.advance(1)
        assert shop.token().status_code == 200


def test_a_thousand_balances_an_hour() -> None:
    with Sandbox(limits={"token": (10**6, 10**6)}) as sandbox:
        shop = caller(sandbox)
        asked = 0
        while asked < 1_000:
            headers = shop.headers()
            for _ in range(min(50, 1_000 - asked)):
                answer = shop.post(BALANCE, headers=headers, params={"id": MERCHANT})
                assert answer.status_code == 200
                asked += 1
            sandbox.clock.advance(60)
        answer = shop.post(BALANCE, params={"id": MERCHANT})
        assert is_limited(answer, 3_600 - 20 * 60)
        assert shop.post(CHARGES, charge_body()).status_code == 200


def test_charges_cash_and_cashouts_share_sixty_a_minute() -> None:
    with Sandbox() as sandbox:
        shop = caller(sandbox)
        headers = shop.headers()
        sandbox.scenario("profitable")
        for round_ in range(20):
            for place, (path, body, _) in enumerate(AUTHENTICATED[:3]):
                body = body if path != CASHOUT else cashout_body(amount=1)
                answer = shop.post(path, body, headers=headers)
                assert answer.status_code == 200
                assert limit_headers(answer) == (60, 59 - 3 * round_ - place, START + 60)
        for path, body, _ in AUTHENTICATED[:3]:
            assert is_limited(shop.post(path, body, headers=headers), 60)
        answer = shop.post(BALANCE, headers=headers, params={"id": MERCHANT})
        assert limit_headers(answer) == (60, 59, START + 60)


def test_what_passes_authentication_counts_and_a_401_or_429_does_not() -> None:
    with Sandbox(limits={"transactions": (5, 1_000)}) as sandbox:
        shop = caller(sandbox)
        headers = shop.headers()

        def remaining(body: Any, status: int) -> int:
            answer = shop.post(CHARGES, body, headers=headers)
            assert answer.status_code == status
            return limit_headers(answer)[1]

        assert remaining(charge_body(), 200) == 4
        assert shop.post(CHARGES, charge_body(), headers={}).status_code == 401
        assert remaining(b"not json", 400) == 3
        assert remaining(charge_body("NEQUI", country="MEX", currency="MXN"), 422) == 2
        sandbox.merchant(merchant_id=MERCHANT, suspended=True)
        assert remaining(charge_body(), 403) == 1
        sandbox.merchant(merchant_id=MERCHANT, suspended=False)
        assert remaining(charge_body(), 200) == 0
        for _ in range(3):
            assert remaining(charge_body(), 429) == 0
        sandbox.clock.advance(59)
        headers = shop.headers()
        sandbox.clock.advance(1)
        assert remaining(charge_body(), 200) == 4


def test_every_answer_of_the_five_paths_carries_the_limit_headers(shop: Caller) -> None:
    answers = [shop.token(), shop.http.post(TOKEN), shop.http.post(BALANCE)]
    for path, body, params in AUTHENTICATED:
        answers += [shop.post(path, body, params=params), shop.post(path, b"[")]
    for answer in answers:
        assert len(limit_headers(answer)) == 3


def test_each_merchant_has_limits_of_its_own() -> None:
    with Sandbox() as sandbox:
        shop = caller(sandbox)
        record = sandbox.merchant()
        other = Caller(shop.http, record["merchant_id"], record["api_key"])
        assert [shop.token().status_code for _ in range(11)] == [200] * 10 + [429]
        assert limit_headers(other.token()) == (10, 9, START + 60)


def test_lifted_limits_are_a_million() -> None:
    with Sandbox(limits=None) as sandbox:
        shop = caller(sandbox)
        answers = [shop.token() for _ in range(30)]
        assert all(answer.status_code == 200 for answer in answers)
        for answer in (answers[-1], shop.post(BALANCE, params={"id": MERCHANT})):
            assert limit_headers(answer)[:2] == (1_000_000, 1_000_000)


# ---------------------------------------------------------------- whatever the bytes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def lasting() -> Iterator[Caller]:
    with Sandbox(limits=None) as sandbox:
        yield caller(sandbox)


def is_envelope(answer: httpx.Response) -> bool:
    body = answer.json()
    assert answer.status_code < 500
    assert body["code"] == answer.status_code
    assert body["status"] == ("Success" if answer.status_code == 200 else "Error")
    assert isinstance(body["message"], str)
    return True


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PATHS), content=st.binary(max_size=200))
def test_any_bytes_get_an_envelope(lasting: Caller, path: str, content: bytes) -> None:
    assert is_envelope(lasting.post(path, content))


@settings(max_examples=250, deadline=None)
@given(
    path=st.sampled_from((CHARGES, CASH, CASHOUT)),
    changes=st.dictionaries(
        st.sampled_from([*TEXTS, "amount", "return_url", "bank_details"]), JSON, max_size=3
    ),
)
def test_any_field_gets_an_envelope(lasting: Caller, path: str, changes: dict[str, Any]) -> None:
    body = (cashout_body() if path == CASHOUT else charge_body("CASH")) | changes
    answer = lasting.post(path, json.dumps(body).encode())
    assert is_envelope(answer)
    if answer.status_code == 400:
        named = answer.json()["message"].partition(":")[0].partition(".")[0]
        # NaN and Infinity are no JSON: then the body itself is at fault.
        assert named in {*changes, "body"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b"[" * 900 + b"]" * 900,
        b'{"amount": 1e999999}',
        b'{"amount": ' + b"9" * 5_000 + b"}",
        b'{"amount": NaN}',
        b"\xff\xfe\x00",
        b"null",
        b'"text"',
        b"\xef\xbb\xbf{}",
    ],
)
def test_an_unreadable_body_is_a_bad_request(lasting: Caller, content: bytes) -> None:
    for path in (CHARGES, CASH, CASHOUT):
        answer = lasting.post(path, content)
        assert is_error(answer, 400)
    kept = lasting.http.get("/_sandbox/requests")
    assert kept.status_code == 200


@settings(max_examples=100, deadline=None)
@given(
    token=st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    session=st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    asked=st.text(max_size=20),
)
def test_any_headers_and_query_get_an_envelope(
    lasting: Caller, token: str, session: str, asked: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", "x-session-id": session}
    answer = lasting.post(BALANCE, headers=headers, params={"id": "x"})
    assert is_error(answer, 401, "Invalid or expired token")
    try:
        answer = lasting.post(BALANCE, params={"id": asked})
    except UnicodeEncodeError:
        return  # half a character cannot be put into an address
    assert is_envelope(answer)


# ---------------------------------------------------------------- over HTTP


def test_it_is_the_same_over_http(sandbox: Sandbox) -> None:
    with served(sandbox) as http:
        shop = caller(sandbox, http)
        data = data_of(shop.post(CHARGES, charge_body()), "Method processed")
        # Its pages are where it is served.
        assert data["urlCheckout"].startswith(f"{http.base_url}".rstrip("/") + "/checkout/")
        answer = http.get(CHARGES)
        assert is_error(answer, 405)
        assert answer.headers["allow"] == "POST"
        assert is_error(http.post("/api/nowhere"), 404)
        assert is_error(http.post(TOKEN), 401, "Invalid API key or merchant ID")
        assert int(shop.token().headers["X-RateLimit-Limit"]) == 1_000_000
        assert "application/json" in answer.headers["content-type"]
        head = http.head(CHARGES)
        assert (head.status_code, head.content) == (405, b"")
    # Unserved again, the fixed text is back.
    data = data_of(caller(sandbox).post(CHARGES, charge_body()), "Method processed")
    assert data["urlCheckout"].startswith("http://pay88.local/")


def test_a_public_prefix_begins_the_addresses_in_answers(sandbox: Sandbox) -> None:
    with (
        sandbox.serve(public_prefix="https://hub.example/user/ana/proxy/8088/") as url,
        plain_http(url) as http,
    ):
        data = data_of(caller(sandbox, http).post(CHARGES, charge_body()), "Method processed")
        assert data["urlCheckout"].startswith("https://hub.example/user/ana/proxy/8088/checkout/")


def test_a_body_above_64_kib_is_too_large(sandbox: Sandbox) -> None:
    with served(sandbox) as http:
        shop = caller(sandbox, http)
        for path in (TOKEN, CHARGES, "/_sandbox/merchants", "/api/nowhere"):
            assert is_error(shop.post(path, b"x" * (64 * 1024 + 1)), 413)
        assert is_error(shop.post(CHARGES, b"x" * (64 * 1024)), 400)
        body = charge_body(note="x" * 60_000)
        assert shop.post(CHARGES, body).status_code == 200
    (refused,) = [kept for kept in sandbox.requests() if kept["path"] == "/api/nowhere"]
    assert refused["status_code"] == 413
    assert refused["request_body"] is None


def test_a_token_of_one_door_opens_the_other(sandbox: Sandbox) -> None:
    with served(sandbox) as http:
        headers = caller(sandbox, http).headers()
        inside = Caller(in_process(sandbox), MERCHANT, "unused")
        answer = inside.post(BALANCE, headers=headers, params={"id": MERCHANT})
        assert answer.status_code == 200


def test_every_answer_carries_the_rate_limit_headers() -> None:
    for limits, shown in ((LIMITS, "60"), (None, "1000000")):
        with Sandbox(limits=limits) as sandbox:
            http = in_process(sandbox)
            for answer in (
                http.get("/api/balance"),
                http.post("/api/nothing"),
                http.post("/api/balance"),
            ):
                assert answer.status_code in (404, 405, 401)
                assert answer.headers["x-ratelimit-limit"] == shown
                assert answer.headers["x-ratelimit-remaining"] == shown
                assert "x-ratelimit-reset" in answer.headers
            with served(sandbox) as http:
                answer = http.post("/api/balance", content=b"x" * (64 * 1024 + 1))
                assert answer.status_code == 413
                assert answer.headers["x-ratelimit-limit"] == shown
                assert answer.headers["x-ratelimit-remaining"] == shown
                assert "x-ratelimit-reset" in answer.headers
