"""What is checked before a create leaves: every rule of the contract's section 5, both ways."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pay88kit.errors import InvalidRequest
from pay88kit.models.methods import METHODS
from pay88kit.models.requests import (
    BankDetails,
    CashoutRequest,
    CashRequest,
    ChargeRequest,
    check,
    complete,
    is_private,
)

CHARGE: dict[str, Any] = {
    "method_code": "CARDS",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example.com/webhooks/88pay",
    "return_url": "https://shop.example.com/thanks",
}
BANK = {
    "bank_name": "Bancolombia",
    "account_number": "123-456",
    "account_type": "SAVINGS",
    "holder_name": "Ana Gómez",
    "identification": "CC 1.020.304",
}
CASHOUT = {
    name: value for name, value in CHARGE.items() if name not in ("method_code", "return_url")
} | {"bank_details": BANK}

# Section 5 of the contract, written out once more: code, category, a country, a currency there.
METHOD_TABLE = [
    ("CARDS", "CARD", "COL", "COP"),
    ("CARDS", "CARD", "MEX", "MXN"),
    ("BANK_TRANSFER", "BANK", "BRA", "BRL"),
    ("CASH", "CASH", "CHL", "CLP"),
    ("NEQUI", "WALLET", "COL", "COP"),
    ("DAVIPLATA", "WALLET", "COL", "COP"),
    ("PAYPAL", "WALLET", "COL", "COP"),
    ("PAYPAL", "WALLET", "MEX", "USD"),
    ("PAYPAL", "WALLET", "CHL", "EUR"),
    ("USDT", "CRYPTO", "BRA", "USD"),
    ("PSE", "BANK", "COL", "COP"),
    ("OXXO", "CASH", "MEX", "MXN"),
    ("SPEI", "BANK", "MEX", "MXN"),
]
LIMITS = [
    ("CARDS", "COL", "COP", "5000", "20000000"),
    ("CARDS", "MEX", "MXN", "20", "100000"),
    ("NEQUI", "COL", "COP", None, "3000000"),
    ("DAVIPLATA", "COL", "COP", None, "2000000"),
    ("PSE", "COL", "COP", None, "50000000"),
]
CENT = Decimal("0.01")


def refusal(**changes: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        ChargeRequest(**(CHARGE | changes))
    return caught.value


def only_fault(**changes: Any) -> tuple[str, str]:
    """The one field that is at fault, and the whole message."""
    error = refusal(**changes)
    assert [problem.field for problem in error.problems] == [error.field]
    return error.field, str(error)


# ---------------------------------------------------------------- what is right passes


def test_there_are_the_ten_methods_of_the_contract() -> None:
    assert set(METHODS) == {code for code, *_ in METHOD_TABLE}
    assert len(METHODS) == 10


@pytest.mark.parametrize(("code", "category", "country", "currency"), METHOD_TABLE)
def test_flow_and_category_follow_from_the_method(
    code: str, category: str, country: str, currency: str
) -> None:
    place = {"method_code": code, "country": country, "currency": currency}
    body = ChargeRequest(**(CHARGE | place)).fields()
    assert body == CHARGE | place | {"flow": "PAYIN", "method_category": category}
    assert ChargeRequest(**body).fields() == body


@given(st.decimals(Decimal(5000), Decimal(20_000_000), places=2))
def test_the_amount_stays_exact(amount: Decimal) -> None:
    request = ChargeRequest(**(CHARGE | {"amount": f"{amount:f}"}))
    assert request.amount == amount
    assert isinstance(request.fields()["amount"], Decimal)


@pytest.mark.parametrize(("code", "country", "currency"), [
    ("CASH", "COL", "COP"), ("OXXO", "MEX", "MXN")
])  # fmt: skip
def test_a_cash_payment_takes_the_cash_methods(code: str, country: str, currency: str) -> None:
    fields = CHARGE | {"method_code": code, "country": country, "currency": currency}
    assert CashRequest(**fields).fields()["method_category"] == "CASH"


def test_a_cash_payment_is_cash_unless_said_otherwise() -> None:
    fields = {name: value for name, value in CHARGE.items() if name != "method_code"}
    assert CashRequest(**fields).method_code == "CASH"
    with pytest.raises(InvalidRequest, match="'NEQUI' is not a method of a cash"):
        CashRequest(**fields, method_code="NEQUI")


def test_a_cashout_is_a_bank_payout() -> None:
    body = CashoutRequest(**CASHOUT).fields()
    assert body == CASHOUT | {
        "flow": "PAYOUT", "method_code": "BANK_TRANSFER", "method_category": "BANK",
    }  # fmt: skip
    assert CashoutRequest(**(CASHOUT | {"bank_details": BankDetails(**BANK)})).fields() == body


# ---------------------------------------------------------------- methods, places, currencies


@pytest.mark.parametrize("code", ["CARD", "pse", "BITCOIN", "NEQUI "])
def test_an_unknown_method_is_refused_with_those_there_are(code: str) -> None:
    field, message = only_fault(method_code=code)
    assert field == "method_code"
    assert repr(code) in message
    assert all(known in message for known, *_ in METHOD_TABLE)


def test_a_near_match_of_a_method_is_named() -> None:
    assert "Did you mean NEQUI?" in str(refusal(method_code="NEQUY"))
    assert "Did you mean PSE?" in str(refusal(method_code="pse"))


@pytest.mark.parametrize(
    ("code", "home", "country", "currency"),
    [
        ("NEQUI", "COL", "MEX", "MXN"),
        ("DAVIPLATA", "COL", "BRA", "BRL"),
        ("PSE", "COL", "CHL", "CLP"),
        ("OXXO", "MEX", "COL", "COP"),
        ("SPEI", "MEX", "COL", "COP"),
    ],
)
def test_a_method_that_is_not_available_in_the_country_is_refused(
    code: str, home: str, country: str, currency: str
) -> None:
    field, message = only_fault(method_code=code, country=country, currency=currency)
    assert field == "method_code"
    assert f"{code} is not available in {country}." in message
    assert f"available in {home}" in message


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({"currency": "MXN"}, "Use COP."),
        ({"currency": "USD"}, "Use COP."),
        ({"country": "MEX"}, "Use MXN."),
        ({"method_code": "USDT"}, "Use USD."),
        ({"method_code": "USDT", "currency": "EUR"}, "Use USD."),
        ({"method_code": "PAYPAL", "currency": "MXN"}, "Use COP or USD or EUR."),
        ({"currency": "cop"}, "Use COP."),
        ({"currency": "XXY"}, "Use COP."),
    ],
)
def test_a_currency_that_does_not_fit_is_refused(changes: dict[str, str], cure: str) -> None:
    field, message = only_fault(**changes)
    assert field == "currency"
    assert message.endswith(cure)


@pytest.mark.parametrize("country", ["CO", "col", "Colombia", "XXX"])
def test_what_is_no_country_code_is_refused(country: str) -> None:
    field, message = only_fault(country=country)
    assert field == "country"
    assert "ISO 3166-1 alpha-3" in message


def test_a_country_that_88pay_does_not_name_passes_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="whether PER is one of them the kit does not know"):
        request = ChargeRequest(**(CHARGE | {"country": "PER", "currency": "PEN"}))
    assert request.country == "PER"


@pytest.mark.parametrize("category", ["WALLET", "card", "PLASTIC", ""])
def test_a_category_that_does_not_fit_the_method_is_refused(category: str) -> None:
    field, message = only_fault(method_category=category)
    assert field == "method_category"
    assert "Use CARD, or leave it out." in message


def test_a_payout_is_not_a_charge() -> None:
    assert only_fault(flow="PAYOUT") == (
        "flow", "flow: 'PAYOUT' does not fit a charge. Use PAYIN."
    )  # fmt: skip


# ---------------------------------------------------------------- amounts and limits


@pytest.mark.parametrize(("code", "country", "currency", "low", "high"), LIMITS)
def test_both_limits_are_allowed_and_a_cent_beyond_is_not(
    code: str, country: str, currency: str, low: str | None, high: str
) -> None:
    place = {"method_code": code, "country": country, "currency": currency}
    smallest = CENT if low is None else Decimal(low)
    for allowed in (smallest, Decimal(high)):
        assert ChargeRequest(**(CHARGE | place | {"amount": allowed})).amount == allowed
    for outside in (smallest - CENT, Decimal(high) + CENT):
        field, message = only_fault(**place, amount=outside)
        assert field == "amount"
        assert f"{Decimal(high):,}" in message or outside == 0


def test_the_limit_of_a_bank_transfer_counts_in_usd_only() -> None:
    usd = {"method_code": "BANK_TRANSFER", "country": "ECU", "currency": "USD"}
    with pytest.warns(UserWarning, match="ECU"):
        assert ChargeRequest(**(CHARGE | usd | {"amount": 50_000})).amount == 50_000
    field, message = only_fault(**usd, amount="50000.01")
    assert field == "amount"
    assert "at most 50,000 USD" in message
    cop = {"method_code": "BANK_TRANSFER", "amount": 900_000_000}
    assert ChargeRequest(**(CHARGE | cop)).amount == 900_000_000


@pytest.mark.parametrize("code", ["CASH", "PAYPAL"])
def test_a_method_without_a_stated_limit_has_none(code: str) -> None:
    for amount in ("0.01", "9999999999999999.99"):
        fields = CHARGE | {"method_code": code, "amount": amount}
        assert ChargeRequest(**fields).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "is not above zero"),
        ("0.00", "is not above zero"),
        (Decimal("-0"), "is not above zero"),
        (-5, "is not above zero"),
        ("5000.001", "more than two decimals"),
        (Decimal("5000.005"), "more than two decimals"),
        (50000.5, 'Write Decimal("50000.5")'),
        (50000.0, "is a float"),
        (True, "a bool is not an amount"),
        ("1e4", "is not a plain decimal number"),
        ("50,000", "without thousands marks"),
        ("50.000", 'Write "50000" or "50.00"'),
        ("1.250", 'Write "1250" or "1.25"'),
        ("12.010", 'Write "12010" or "12.01"'),
        ("NaN", "is not a plain decimal number"),
        (Decimal("NaN"), "is not a finite number"),
        (Decimal("Infinity"), "is not a finite number"),
        (10**17, "out of range"),
        (None, "is missing"),
        ({}, "a dict is not an amount"),
    ],
)
def test_what_is_no_amount_is_refused(amount: Any, said: str) -> None:
    field, message = refusal(method_code="CASH", amount=amount).field, str(refusal(amount=amount))
    assert field == "amount"
    assert said in message


# ---------------------------------------------------------------- texts and names


@pytest.mark.parametrize("length", [1, 255])
def test_a_description_of_1_to_255_characters_passes(length: int) -> None:
    assert ChargeRequest(**(CHARGE | {"description": "ñ" * length})).description == "ñ" * length


def test_a_description_of_256_characters_is_refused() -> None:
    assert only_fault(description="x" * 256) == (
        "description", "description: has 256 characters. Shorten it to 255 at most."
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["method_code", "currency", "country", "description", "customer_id", "notification_url"],
)
@pytest.mark.parametrize("value", [None, "", "  ", 7, ["COP"], True])
def test_a_text_that_is_missing_or_none_is_refused(name: str, value: Any) -> None:
    error = refusal(**{name: value})
    assert name in [problem.field for problem in error.problems]
    assert f"{name}: " in str(error)
    assert "such as" in str(error)


def test_every_fault_is_told_at_once() -> None:
    error = refusal(amount=1.5, description="x" * 256, customer_id=None, currency="USD")
    fields = [problem.field for problem in error.problems]
    assert sorted(fields) == ["amount", "currency", "customer_id", "description"]
    assert all(problem.fault and problem.cure for problem in error.problems)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("descripton", "description"),
        ("notify_url", "notification_url"),
        ("custumer_id", "customer_id"),
    ],
)
def test_an_unknown_field_is_refused_with_its_near_match(name: str, near: str) -> None:
    field, message = only_fault(**{name: "x"})
    assert field == name
    assert f"Did you mean {near}?" in message
    assert f"extra={{{name!r}: …}}" in message


def test_an_unknown_field_without_a_near_match_suggests_none() -> None:
    field, message = only_fault(zzz=1)
    assert field == "zzz"
    assert "Did you mean" not in message


@pytest.mark.parametrize("missing", BANK)
@pytest.mark.parametrize("value", [None, "", 12345])
def test_a_cashout_needs_every_bank_field_as_text(missing: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        CashoutRequest(**(CASHOUT | {"bank_details": BANK | {missing: value}}))
    assert [problem.field for problem in caught.value.problems] == [f"bank_details.{missing}"]


@pytest.mark.parametrize("details", [None, "Bancolombia", ["x"]])
def test_a_cashout_without_an_account_names_what_it_needs(details: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        CashoutRequest(**(CASHOUT | {"bank_details": details}))
    assert caught.value.field == "bank_details"
    assert all(name in str(caught.value) for name in BANK)


# ---------------------------------------------------------------- addresses

PUBLIC = [
    "https://shop.example.com/webhooks/88pay?shop=7",
    "https://8.8.8.8/x",
    "https://[2606:4700:4700::1111]/x",
    "https://shop.example.com:8443/",
    "HTTPS://SHOP.EXAMPLE.COM/",
    "https://local.example.com/",
    "https://10.example.com/",
]
PRIVATE_HOSTS = [
    "localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1", "127.255.255.254",
    "2130706433", "0x7f.1", "0x7f000001", "017700000001", "0", "0.0.0.0",  # noqa: S104
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]", "[fe80::1%25eth0]",
    "[fc00::1]", "[fd12:3456::1]", "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.10", "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1",
    "255.255.255.255", "[ff02::1]", "printer.local", "shop.local.", "shop.localhost", "a.internal",
    "router.lan", "nas.home.arpa", "shop.test", "shop.invalid", "shop", "intranet",
    "１２７.0.0.1", "127。0。0。1",
]  # fmt: skip


def check_address(url: Any, *, loopback: bool) -> dict[str, Any]:
    return check(
        "charge", complete("charge", CHARGE | {"notification_url": url}), loopback=loopback
    )


@pytest.mark.parametrize("url", PUBLIC)
@pytest.mark.parametrize("loopback", [True, False])
def test_a_public_https_address_is_accepted_and_kept(url: str, loopback: bool) -> None:
    assert check_address(url, loopback=loopback)["notification_url"] == url


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_a_private_host_is_refused_outside_local(host: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_address(f"https://{host}/webhooks", loopback=False)
    assert caught.value.field == "notification_url"
    assert "not reachable from the internet" in str(caught.value)
    assert "public https:// address" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://shop.example.com/x", "ftp://shop.example.com", "http://8.8.8.8"]
)
@pytest.mark.parametrize("loopback", [True, False])
def test_a_plain_address_is_refused_everywhere(url: str, loopback: bool) -> None:
    with pytest.raises(InvalidRequest, match="not with https:") as caught:
        check_address(url, loopback=loopback)
    assert caught.value.field == "notification_url"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/x", "http://localhost/x", "https://[::1]/x"]
)
def test_this_machine_is_accepted_in_local_only(url: str) -> None:
    assert check_address(url, loopback=True)["notification_url"] == url
    with pytest.raises(InvalidRequest):
        check_address(url, loopback=False)


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.10", "printer.local", "shop"])
def test_another_private_host_is_refused_in_local_too(host: str) -> None:
    with pytest.raises(InvalidRequest, match="not reachable"):
        check_address(f"https://{host}/x", loopback=True)


@pytest.mark.parametrize(
    "url",
    ["shop.example.com", "/webhooks", "https://", "https:///x", "https://[", "https://h:port/",
     "https://shop.example.com/a b", "https://shop.example.com/\n", "https://shop.example.com:99999"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["notification_url", "return_url"])
def test_what_is_no_address_is_refused(field: str, url: str) -> None:
    assert only_fault(**{field: url})[0] == field


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_every_writing_of_a_private_address_is_private(address: Any) -> None:
    number = int(address)
    a, b, c, d = address.packed
    for host in (str(address), str(number), hex(number), f"{a}.{b}.{c * 256 + d}",
                 f"{a}.{int.from_bytes(address.packed[1:], 'big')}", f"0x{a:x}.{b}.{c}.{d}",
                 f"0{a:o}.{b}.{c}.{d}", f"{address}.", f"::ffff:{address}"):  # fmt: skip
        assert is_private(host), host


@given(st.text(max_size=40))
@example("\x00")
@example("xn--\u20ac..")
def test_any_text_as_a_host_gets_an_answer(host: str) -> None:
    assert is_private(host) in (True, False)


@pytest.mark.parametrize(
    ("code", "category"), [("CARDS", "CARD"), ("NEQUI", "WALLET"), ("DAVIPLATA", "WALLET"),
                           ("PAYPAL", "WALLET")]
)  # fmt: skip
def test_cards_and_wallets_need_a_return_url(code: str, category: str) -> None:
    field, message = only_fault(method_code=code, return_url=None)
    assert field == "return_url"
    assert code in message


@pytest.mark.parametrize("code", ["PSE", "CASH", "BANK_TRANSFER"])
def test_the_other_methods_need_none(code: str) -> None:
    request = ChargeRequest(**(CHARGE | {"method_code": code, "return_url": None}))
    assert "return_url" not in request.fields()


@given(
    st.dictionaries(
        st.sampled_from([*CHARGE, "flow", "method_category", "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals()
        | st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
    ),
    st.sampled_from(["charge", "cash", "cashout"]),
)  # fmt: skip
def test_whatever_is_asked_there_is_a_body_or_one_clear_refusal(
    changes: dict[str, Any], operation: str
) -> None:
    base = CASHOUT if operation == "cashout" else CHARGE | {"method_code": "CASH"}
    body, problems = None, ()
    try:
        body = check(operation, complete(operation, base | changes), loopback=False)
    except InvalidRequest as error:
        problems = error.problems
    if body is None:
        assert problems
        assert all(problem.field and problem.fault for problem in problems)
    else:
        assert isinstance(body["amount"], Decimal)
        assert body["amount"] > 0
