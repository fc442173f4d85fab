"""The sandbox's control side over HTTP, and that a seed decides everything (design.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import (
    BALANCE,
    CASHOUT,
    CHARGES,
    MERCHANT,
    Caller,
    Endpoint,
    Say,
    caller,
    cashout_body,
    charge_body,
    in_process,
    served,
)

from pay88kit import Sandbox

MERCHANT_FIELDS = {
    "merchant_id",
    "api_key",
    "webhook_secret",
    "country",
    "currency",
    "credit_limit",
    "suspended",
}
TRANSACTION_FIELDS = {
    "reference",
    "transaction_id",
    "merchant_id",
    "flow",
    "method_code",
    "method_category",
    "status",
    "amount",
    "currency",
    "country",
    "customer_id",
    "description",
    "created_at",
    "updated_at",
}
ATTEMPT_FIELDS = {
    "id",
    "reference",
    "attempt",
    "at",
    "url",
    "request_body",
    "status_code",
    "response_body",
    "latency_ms",
    "outcome",
}
REQUEST_FIELDS = {"at", "method", "path", "status_code", "request_body", "response_body"}


@pytest.fixture(scope="module")
def one_sandbox() -> Iterator[tuple[Sandbox, httpx.Client]]:
    with Sandbox(limits=None) as sandbox, served(sandbox) as http:
        yield sandbox, http


@pytest.fixture
def sandbox(one_sandbox: tuple[Sandbox, httpx.Client]) -> Sandbox:
    return one_sandbox[0]


@pytest.fixture
def http(one_sandbox: tuple[Sandbox, httpx.Client]) -> httpx.Client:
    one_sandbox[1].post("/_sandbox/reset", json={"seed": 88}).raise_for_status()
    return one_sandbox[1]


@pytest.fixture
def shop(sandbox: Sandbox, http: httpx.Client) -> Caller:
    return caller(sandbox, http)


def data(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"data"}
    return answer.json()["data"]


def refused(answer: httpx.Response, status: int, start: str = "") -> bool:
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == status
    assert answer.json()["message"].startswith(start)
    return True


# ---------------------------------------------------------------- the table


def test_health(http: httpx.Client) -> None:
    assert http.get("/_sandbox/health").status_code == 200


def test_a_new_sandbox_has_one_merchant(http: httpx.Client) -> None:
    (merchant,) = data(http.get("/_sandbox/merchants"))
    assert merchant.keys() == MERCHANT_FIELDS
    assert merchant["merchant_id"] == MERCHANT
    assert merchant["api_key"].startswith("sk_test_")
    named = {k: merchant[k] for k in ("country", "currency", "credit_limit", "suspended")}
    assert named == {
        "country": "COL",
        "currency": "COP",
        "credit_limit": "0.00",
        "suspended": False,
    }


def test_a_new_merchant_is_created(http: httpx.Client) -> None:
    default = data(http.post("/_sandbox/merchants", json={}), 201)
    assert default.keys() == MERCHANT_FIELDS
    assert re.fullmatch(r"MCH-COL-[A-Z0-9]+", default["merchant_id"])
    assert (default["currency"], default["credit_limit"]) == ("COP", "0.00")
    asked = {
        "merchant_id": "MCH-MEX-7",
        "country": "MEX",
        "credit_limit": "5000.50",
        "suspended": True,
    }
    made = data(http.post("/_sandbox/merchants", json=asked), 201)
    assert {name: made[name] for name in asked} == asked
    assert made["currency"] == "MXN"
    assert made["api_key"] != default["api_key"]
    assert made["webhook_secret"] != default["webhook_secret"]
    assert len(data(http.get("/_sandbox/merchants"))) == 3


def test_a_known_merchant_changes_in_the_named_fields_only(http: httpx.Client) -> None:
    (before,) = data(http.get("/_sandbox/merchants"))
    asked = {"merchant_id": MERCHANT, "credit_limit": 1000}
    after = data(http.post("/_sandbox/merchants", json=asked))
    assert after == before | {"credit_limit": "1000.00"}


def test_a_merchants_limits_can_be_set_and_lifted(http: httpx.Client, shop: Caller) -> None:
    asked = {"merchant_id": MERCHANT, "limits": {"balance": [2, 5]}}
    assert http.post("/_sandbox/merchants", json=asked).status_code == 200
    statuses = [shop.post(BALANCE, params={"id": MERCHANT}).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    asked = {"merchant_id": MERCHANT, "limits": None}
    assert http.post("/_sandbox/merchants", json=asked).status_code == 200
    assert shop.post(BALANCE, params={"id": MERCHANT}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"merchant_id": 5}, "merchant_id:"),
        ({"merchant_id": "a b"}, "merchant_id:"),
        ({"country": "CO"}, "country:"),
        ({"country": ["COL"]}, "country:"),
        ({"currency": "PESO"}, "currency:"),
        ({"currency": {}}, "currency:"),
        ({"suspended": "yes"}, "suspended:"),
        ({"credit_limit": -1}, "credit_limit:"),
        ({"credit_limit": "a lot"}, "credit_limit:"),
        ({"credit_limit": "0.001"}, "credit_limit:"),
        ({"limits": {"token": 10}}, "limits:"),
        ({"limits": {"tokens": [10, 100]}}, "limits:"),
        ({"limits": {"token": [-1, 100]}}, "limits:"),
        ({"name": "Ana"}, "name:"),
    ],
)
def test_a_bad_field_of_a_merchant_is_named(
    http: httpx.Client, fields: dict[str, Any], named: str
) -> None:
    assert refused(http.post("/_sandbox/merchants", json=fields), 400, named)
    assert len(data(http.get("/_sandbox/merchants"))) == 1


def test_the_clock_is_read_and_moved(http: httpx.Client) -> None:
    assert data(http.get("/_sandbox/clock"))["now"] == "2026-01-15T12:00:00Z"
    assert data(http.post("/_sandbox/clock", json={"advance": 90}))["now"] == (
        "2026-01-15T12:01:30Z"
    )
    later = {"now": "2026-01-16T00:00:00Z"}
    assert data(http.post("/_sandbox/clock", json=later))["now"] == "2026-01-16T00:00:00Z"
    assert data(http.get("/_sandbox/clock"))["now"] == "2026-01-16T00:00:00Z"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"advance": -1},
        {"advance": "soon"},
        {"advance": None},
        {"advance": 10**12},
        {"now": "2026-01-15T11:59:59Z"},
        {"now": "yesterday"},
        {"now": 5},
        {"now": "9999-12-31T23:59:59Z"},
    ],
)
def test_a_clock_that_cannot_go_there_stays(http: httpx.Client, fields: dict[str, Any]) -> None:
    assert refused(http.post("/_sandbox/clock", json=fields), 400)
    assert data(http.get("/_sandbox/clock"))["now"] == "2026-01-15T12:00:00Z"


def test_transactions_are_listed_and_found(http: httpx.Client, shop: Caller) -> None:
    assert data(http.get("/_sandbox/transactions")) == []
    first = shop.charge("NEQUI", amount=1234.5, description="Tea", customer_id="c-1")
    other = data(http.post("/_sandbox/merchants", json={"merchant_id": "MCH-COL-2"}), 201)
    second = Caller(http, "MCH-COL-2", other["api_key"]).charge()
    assert [t["reference"] for t in data(http.get("/_sandbox/transactions"))] == [first, second]
    mine = data(http.get("/_sandbox/transactions", params={"merchant_id": MERCHANT}))
    assert [t["reference"] for t in mine] == [first]
    one = data(http.get(f"/_sandbox/transactions/{first}"))
    assert one == mine[0]
    assert one.keys() == TRANSACTION_FIELDS
    del one["transaction_id"]
    assert one == {
        "reference": first,
        "merchant_id": MERCHANT,
        "flow": "PAYIN",
        "method_code": "NEQUI",
        "method_category": "WALLET",
        "status": "PENDING",
        "amount": "1234.50",
        "currency": "COP",
        "country": "COL",
        "customer_id": "c-1",
        "description": "Tea",
        "created_at": "2026-01-15T12:00:00Z",
        "updated_at": "2026-01-15T12:00:00Z",
    }
    assert refused(http.get("/_sandbox/transactions/NOTHERE"), 404)


@pytest.mark.parametrize(
    ("action", "status"),
    [("complete", "COMPLETED"), ("reject", "REJECTED"), ("expire", "REJECTED")],
)
def test_a_final_status_is_final(
    http: httpx.Client, shop: Caller, action: str, status: str
) -> None:
    reference = shop.charge()
    data(http.post("/_sandbox/clock", json={"advance": 30}))
    after = data(http.post(f"/_sandbox/transactions/{reference}/{action}"))
    assert (after["status"], after["updated_at"]) == (status, "2026-01-15T12:00:30Z")
    for again in ("complete", "reject", "expire"):
        assert refused(http.post(f"/_sandbox/transactions/{reference}/{again}"), 409)
    assert data(http.get(f"/_sandbox/transactions/{reference}")) == after
    assert refused(http.post(f"/_sandbox/transactions/NOTHERE/{action}"), 404)


def test_settlements_fees_and_reserves_move_the_balance(http: httpx.Client, shop: Caller) -> None:
    data(http.post(f"/_sandbox/transactions/{shop.charge(amount=10_000)}/complete"))
    for kind, amount in (("settlements", "1000.50"), ("fees", 100), ("reserves", "10")):
        asked = {"merchant_id": MERCHANT, "amount": amount}
        data(http.post(f"/_sandbox/{kind}", json=asked))
    told = shop.balance()
    assert (told["total_settled"], told["total_available"]) == ("1000.50", "8889.50")
    too_much = {"merchant_id": MERCHANT, "amount": "8889.51"}
    assert refused(http.post("/_sandbox/settlements", json=too_much), 422)
    assert shop.balance() == told


@pytest.mark.parametrize("kind", ["settlements", "fees", "reserves"])
def test_a_bad_movement_is_refused(http: httpx.Client, kind: str) -> None:
    for amount in (None, 0, -1, "x", True, "0.001", [1], 10**30):
        asked = {"merchant_id": MERCHANT, "amount": amount}
        assert refused(http.post(f"/_sandbox/{kind}", json=asked), 400, "amount:")
    asked = {"merchant_id": "MCH-COL-NOBODY", "amount": 1}
    assert refused(http.post(f"/_sandbox/{kind}", json=asked), 404, "merchant_id:")
    assert refused(http.post(f"/_sandbox/{kind}", json={"merchant_id": 5, "amount": 1}), 400)


@pytest.mark.parametrize(
    "name", ["profitable", "advance", "settled", "pending", "fees", "empty", "low"]
)
def test_every_scenario_is_there(http: httpx.Client, name: str) -> None:
    data(http.post(f"/_sandbox/scenarios/{name}", json={"merchant_id": MERCHANT}))


def test_a_scenario_plays_for_the_merchant_that_is_named(http: httpx.Client, shop: Caller) -> None:
    data(http.post("/_sandbox/scenarios/profitable", json={"merchant_id": MERCHANT}))
    assert shop.balance()["total_available"] == "300000.00"
    assert refused(http.post("/_sandbox/scenarios/rich", json={"merchant_id": MERCHANT}), 404)
    asked = {"merchant_id": "MCH-COL-NOBODY"}
    assert refused(http.post("/_sandbox/scenarios/low", json=asked), 404)


def test_delivery_attempts_are_listed_and_sent_again(http: httpx.Client, shop: Caller) -> None:
    with Endpoint() as endpoint:
        first = shop.charge(notification_url=endpoint.url)
        second = shop.charge(notification_url=endpoint.url)
        for reference in (first, second):
            data(http.post(f"/_sandbox/transactions/{reference}/complete"))
        attempts = data(http.get("/_sandbox/webhooks"))
        assert [a["reference"] for a in attempts] == [first, second]
        assert all(a.keys() == ATTEMPT_FIELDS for a in attempts)
        (one,) = data(http.get("/_sandbox/webhooks", params={"reference": second}))
        assert one == attempts[1]
        again = data(http.post(f"/_sandbox/webhooks/{one['id']}/resend"))
        assert again.keys() == ATTEMPT_FIELDS
        assert (again["reference"], again["outcome"]) == (second, "delivered")
        assert len(endpoint.received) == 3
    assert refused(http.post("/_sandbox/webhooks/999/resend"), 404)
    assert refused(http.post("/_sandbox/webhooks/x/resend"), 404)


def test_what_was_asked_and_answered_is_on_record_without_secrets(
    http: httpx.Client, shop: Caller
) -> None:
    headers = shop.headers()
    shop.post(CHARGES, charge_body(amount=0.5), headers=headers)
    shop.post(CHARGES, b"not json", headers=headers)
    shop.post(BALANCE, headers={})
    answer = http.get("/_sandbox/requests")
    token, charge, broken, balance = data(answer)
    for entry in (token, charge, broken, balance):
        assert entry.keys() == REQUEST_FIELDS
        assert entry["at"] == "2026-01-15T12:00:00Z"
        assert entry["method"] == "POST"
    assert [e["path"] for e in (token, charge, broken, balance)] == [
        "/api/auth/token",
        CHARGES,
        CHARGES,
        BALANCE,
    ]
    assert [e["status_code"] for e in (token, charge, broken, balance)] == [200, 200, 400, 401]
    assert charge["request_body"] == charge_body(amount=0.5)
    assert charge["response_body"]["data"]["amount"] == 0.5
    assert broken["request_body"] == "not json"
    secrets = [headers["Authorization"].split()[1], headers["x-session-id"], shop.api_key]
    for secret in secrets:
        assert secret not in answer.text
    assert token["response_body"]["data"]["expires_in"] == 60


def test_a_reset_makes_it_as_new(http: httpx.Client, shop: Caller) -> None:
    before = data(http.get("/_sandbox/merchants"))
    headers = shop.headers()
    shop.charge()
    data(http.post("/_sandbox/merchants", json={}), 201)
    data(http.post("/_sandbox/clock", json={"advance": 5}))
    assert http.post("/_sandbox/reset").status_code == 200
    assert data(http.get("/_sandbox/merchants")) == before
    assert data(http.get("/_sandbox/transactions")) == []
    assert data(http.get("/_sandbox/requests")) == []
    assert data(http.get("/_sandbox/clock"))["now"] == "2026-01-15T12:00:00Z"
    answer = shop.post(BALANCE, headers=headers, params={"id": MERCHANT})
    assert answer.status_code == 401
    assert http.post("/_sandbox/reset", json={"seed": 7}).status_code == 200
    assert data(http.get("/_sandbox/merchants"))[0]["api_key"] != before[0]["api_key"]
    assert refused(http.post("/_sandbox/reset", json={"seed": "x"}), 400, "seed:")


def test_unknown_paths_and_methods(http: httpx.Client) -> None:
    assert refused(http.get("/_sandbox/nothing"), 404)
    assert refused(http.post("/_sandbox/health"), 405)
    answer = http.delete("/_sandbox/clock")
    assert refused(answer, 405)
    assert answer.headers["allow"] == "GET, POST"


def test_another_sites_page_cannot_steer_it(http: httpx.Client) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert refused(http.post("/_sandbox/reset", headers=headers), 403)
    assert refused(http.post("/_sandbox/clock", json={"advance": 5}, headers=headers), 403)
    assert data(http.get("/_sandbox/clock"))["now"] == "2026-01-15T12:00:00Z"


def test_without_its_control_side_only_health_answers() -> None:
    with Sandbox(control=False) as sandbox:
        http = in_process(sandbox)
        assert http.get("/_sandbox/health").status_code == 200
        for path in ("merchants", "clock", "transactions", "requests"):
            assert http.get(f"/_sandbox/{path}").status_code == 404
        assert http.post("/_sandbox/reset").status_code == 404
        assert caller(sandbox, http).token().status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
NAMES = ("merchant_id", "country", "currency", "credit_limit", "suspended", "limits", "amount")
FIELDS = st.dictionaries(st.sampled_from((*NAMES, "advance", "now", "seed")), JSON, max_size=3)
CALLS = ("merchants", "clock", "settlements", "fees", "reserves", "scenarios/low", "reset")


@settings(max_examples=200, deadline=None)
@given(call=st.sampled_from(CALLS), body=FIELDS.map(json.dumps).map(str.encode) | st.binary())
def test_any_control_call_is_answered(call: str, body: bytes) -> None:
    with Sandbox() as sandbox:
        answer = in_process(sandbox).post(f"/_sandbox/{call}", content=body)
        assert answer.status_code in (200, 201, 400, 404, 409, 422)
        assert isinstance(answer.json(), dict)


# ---------------------------------------------------------------- one seed, one story


def story(sandbox: Sandbox, http: httpx.Client, endpoint: Endpoint) -> list[str]:
    """Many calls of every kind, and everything that came back or went out."""
    told: list[str] = []

    def keep(answer: httpx.Response) -> httpx.Response:
        headers = sorted(
            f"{name}: {value}"
            for name, value in answer.headers.items()
            if name.startswith("x-") or name in ("content-type", "allow", "retry-after")
        )
        told.append(f"{answer.status_code} {headers} {answer.text}")
        return answer

    shop = caller(sandbox, http)
    endpoint.received.clear()
    keep(shop.token())
    references = []
    for method in ("CARDS", "PSE", "CASH", "USDT", "SPEI", "BANK_TRANSFER"):
        body = charge_body(method, notification_url=endpoint.url)
        answer = keep(shop.post(CHARGES, body))
        references.append(answer.json()["data"]["reference"])
    keep(shop.post(CHARGES, charge_body(amount=-1)))
    keep(shop.post(CASHOUT, cashout_body()))
    control = [
        ("POST", f"transactions/{references[0]}/complete", None),
        ("POST", f"transactions/{references[1]}/reject", None),
        ("POST", f"transactions/{references[1]}/reject", None),
        ("POST", "merchants", {"country": "MEX"}),
        ("POST", "clock", {"advance": 4 * 86_400}),
        ("POST", "scenarios/advance", {"merchant_id": MERCHANT}),
        ("GET", "transactions", None),
        ("GET", "merchants", None),
        ("GET", "webhooks", None),
        ("POST", "webhooks/1/resend", None),
        ("GET", "requests", None),
    ]
    for method, path, fields in control:
        keep(http.request(method, f"/_sandbox/{path}", json=fields))
        if path == "clock":
            # The tokens of the story's beginning are over.
            keep(shop.post(BALANCE, params={"id": MERCHANT}))
    told += [f"{d.path} {d.headers['authorization']} {d.body!r}" for d in endpoint.received]
    address = str(http.base_url).rstrip("/")
    return [
        re.sub(r'"latency_ms": \d+', '"latency_ms": 0', line.replace(address, "http://pay88.local"))
        for line in told
    ]


def test_the_same_seed_and_calls_give_the_same_bytes() -> None:
    answers = iter([500, 200] * 100)
    with Endpoint(lambda delivery: Say(next(answers))) as endpoint:
        told = []
        for _ in range(2):
            answers = iter([500, 200] * 100)
            with Sandbox(seed=5) as sandbox:
                told.append(story(sandbox, in_process(sandbox), endpoint))
        answers = iter([500, 200] * 100)
        with Sandbox(seed=5) as sandbox, served(sandbox) as http:
            told.append(story(sandbox, http, endpoint))
            # And after a reset once more.
            answers = iter([500, 200] * 100)
            http.post("/_sandbox/reset").raise_for_status()
            told.append(story(sandbox, http, endpoint))
        answers = iter([500, 200] * 100)
        with Sandbox(seed=6) as sandbox:
            other = story(sandbox, in_process(sandbox), endpoint)
    assert told[0] == told[1]
    assert told[0] == told[2]
    assert told[0] == told[3]
    assert len(told[0]) > 25
    assert len(other) == len(told[0])
    first, second = "\n".join(told[0]), "\n".join(other)
    for kind in (r"sess_[0-9a-f-]{36}", r"sk_test_\w+", r"eyJ[\w-]+\.[\w-]+\.[\w-]+", r"\bIP\w{9}"):
        assert re.findall(kind, first)
        assert not set(re.findall(kind, first)) & set(re.findall(kind, second))


def test_seed_88_is_the_default() -> None:
    with Sandbox() as one, Sandbox(seed=88) as two, Sandbox(seed=89) as three:
        assert one.config.api_key == two.config.api_key
        assert one.config.api_key != three.config.api_key
