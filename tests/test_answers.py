"""What 88Pay answers: typed and exact, lenient to what is new, the same as HTML and as text."""

from __future__ import annotations

from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from pay88kit import money, to_frame
from pay88kit.models.answers import Answer, Balance, Cashout, Charge, Token

SESSION = "sess_53a2cfc4-441e-4554-b560-4e008784d98e"
ACCESS = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.claims.signature"
HOSTILE = '<script>alert("x")</script><img src=x onerror=y>&amp;\'</td>'

# Section 9 of the contract, byte for byte.
BALANCE = b"""{"status": "Success", "code": 200, "message": "OK",
 "data": {"merchant_id": "MCH-COL-29ZTP4",
          "balance_summary": {"total_payin": "34490.00", "total_payout": "250010.00",
                              "total_settled": "0.00", "total_available": "34490.00",
                              "net_balance": -215520},
          "message": "Balance calculated successfully"}}"""


def envelope(**data: Any) -> dict[str, Any]:
    return {"status": "Success", "code": 200, "message": "Method processed", "data": data}


class Cells(HTMLParser):
    """The title and the rows that a browser shows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag in ("caption", "th", "td"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def shown(answer: Answer) -> tuple[list[str], str]:
    """What the two forms say: the HTML's cells, and the text."""
    cells = Cells(answer._repr_html_())
    assert cells.tags <= {"table", "caption", "b", "tr", "th", "td"}
    return cells.texts, str(answer)


def assert_same(answer: Answer) -> None:
    (title, *cells), text = shown(answer)
    names, values = cells[::2], cells[1::2]
    width = max(map(len, names), default=0)
    rows = [f"  {n:<{width}}  {v}" for n, v in zip(names, values, strict=True)]
    assert text == "\n".join([title, *rows])


# ---------------------------------------------------------------- exact


def test_the_documented_balance_is_read_digit_for_digit() -> None:
    balance = Balance.read(money.loads(BALANCE))
    assert balance.merchant_id == "MCH-COL-29ZTP4"
    amounts = {
        "total_payin": "34490.00", "total_payout": "250010.00", "total_settled": "0.00",
        "total_available": "34490.00", "net_balance": "-215520",
    }  # fmt: skip
    for name, text in amounts.items():
        value = getattr(balance, name)
        assert isinstance(value, Decimal)
        assert str(value) == text
    assert balance.raw == money.loads(BALANCE)


@given(st.decimals(-(10**15), 10**15, places=2))
def test_amounts_are_decimals_whether_sent_as_number_or_text(amount: Decimal) -> None:
    for sent in (f"{amount:f}", f'"{amount:f}"'):
        raw = money.loads(f'{{"data": {{"reference": "IP9BD7CJES6", "amount": {sent}}}}}')
        charge = Charge.read(raw)
        assert isinstance(charge.amount, Decimal)
        assert charge.amount == amount


def test_every_documented_field_of_a_charge_is_an_attribute() -> None:
    bank = {
        "bank_name": "Banco", "account_number": "1", "account_type": "SAVINGS",
        "holder_name": "88Pay", "identification": "9", "reference_number": "IP9BD7CJES6",
    }  # fmt: skip
    texts = {
        "voucher_url": "https://x.example/v", "payment_code": "88PAY123456789",
        "expires_at": "2026-01-18T12:00:00Z", "deposit_address": "T1", "network": "TRC20",
        "qr_code_url": "https://x.example/q", "customer_id": "customer-7", "currency": "COP",
    }  # fmt: skip
    charge = Charge.read(
        envelope(
            reference="IP9BD7CJES6", urlCheckout="https://x.example/c", bank_details=bank, **texts
        )
    )
    assert charge.reference == "IP9BD7CJES6"
    assert charge.url_checkout == "https://x.example/c"
    assert charge.bank_details is not None
    assert charge.bank_details.model_dump() == bank
    assert {name: getattr(charge, name) for name in texts} == texts


# ---------------------------------------------------------------- lenient


@pytest.mark.parametrize("kind", [Charge, Cashout])
def test_a_create_needs_only_its_reference(kind: type[Charge | Cashout]) -> None:
    answer = kind.read({"data": {"reference": "IP9BD7CJES6"}})
    assert answer.record() == {"reference": "IP9BD7CJES6"}
    assert answer.amount is None
    with pytest.raises(ValidationError):
        kind.read(envelope(amount="5.00"))


def test_unknown_fields_are_kept() -> None:
    charge = Charge.read(envelope(reference="A", fee={"rate": Decimal("0.029")}, risk_level="low"))
    assert charge.risk_level == "low"  # type: ignore[attr-defined]
    assert charge.record() == {
        "reference": "A", "fee": {"rate": Decimal("0.029")}, "risk_level": "low",
    }  # fmt: skip
    balance = Balance.read({"data": {"balance_summary": {"total_fees": "1.00"}, "as_of": "x"}})
    assert balance.record() == {"as_of": "x", "total_fees": "1.00"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", True), ("amount", 1.5), ("amount", "many"), ("amount", []), ("amount", "NaN"),
        ("amount", {"value": 5}), ("currency", 5), ("currency", ["COP"]), ("currency", True),
        ("urlCheckout", 7), ("expires_at", {}), ("bank_details", "text"), ("bank_details", [1]),
    ],
)  # fmt: skip
def test_another_type_than_documented_is_none_and_stays_in_raw(field: str, value: Any) -> None:
    raw = envelope(reference="A", customer_id="c", **{field: value})
    charge = Charge.read(raw)
    name = "url_checkout" if field == "urlCheckout" else field
    assert getattr(charge, name) is None
    assert charge.record() == {"reference": "A", "customer_id": "c"}
    assert charge.raw["data"][field] == value


def test_one_wrong_member_of_a_bank_account_does_not_hide_the_others() -> None:
    account = {"bank_name": "Banco", "account_number": 123456, "branch": 7}
    details = Charge.read(envelope(reference="A", bank_details=account)).bank_details
    assert details is not None
    assert (details.bank_name, details.account_number) == ("Banco", None)
    assert details.branch == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize("raw", [{}, {"data": None}, {"data": []}, {"data": "x"}, {"code": 200}])
def test_an_answer_without_data_has_no_fields(raw: dict[str, Any]) -> None:
    assert Balance.read(raw).record() == {}
    assert Balance.read(raw).raw == raw
    assert Token.read(raw).access_token is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*Charge.model_fields, *Balance.model_fields, *Token.model_fields, "urlCheckout", "new"]


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), json_values, max_size=8))
@example({"urlCheckout": "https://x.example/c", "url_checkout": Decimal("Infinity")})
def test_whatever_the_fields_an_answer_is_read_and_both_forms_agree(data: dict[str, Any]) -> None:
    data["reference"] = "IP9BD7CJES6"
    for kind in (Charge, Cashout, Balance, Token, Answer):
        answer = kind.read({"data": data})
        assert answer.raw == {"data": data}
        assert "IP9BD7CJES6" in repr(answer)
        assert_same(answer)


# ---------------------------------------------------------------- hostile text


def test_hostile_text_is_escaped_in_html_and_plain_in_text() -> None:
    charge = Charge.read(envelope(reference="A", customer_id=HOSTILE, **{HOSTILE: "name"}))
    html = charge._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    cells, text = shown(charge)
    assert cells.count(HOSTILE) == 2
    assert text.count(HOSTILE) == 2


@pytest.mark.parametrize(
    "char", ["\n", "\r", "\x0b", "\x1b[2K", "\x00", "\x85", "\u2028", "\u202e", "\b"]
)
@pytest.mark.parametrize("place", ["name", "value"])
def test_control_characters_cannot_fake_a_line(char: str, place: str) -> None:
    fake = f"x{char}  amount  9.00"
    fields = {fake: "y"} if place == "name" else {"customer_id": fake}
    charge = Charge.read(envelope(reference="A", **fields))
    text = str(charge)
    assert len(text.splitlines()) == 3
    assert char[0] not in text.replace("\n", "", 2) or char == "\n"
    assert f"x\\x{ord(char[0]):02x}" in text
    assert f"x\\x{ord(char[0]):02x}" in charge._repr_html_()


def test_both_forms_show_the_currency_and_the_thousands() -> None:
    charge = Charge.read(envelope(reference="A", amount=50000, currency="COP"))
    cells, text = shown(charge)
    assert cells == ["Charge", "reference", "A", "amount", "50,000.00 COP"]
    assert text == "Charge\n  reference  A\n  amount     50,000.00 COP"


# ---------------------------------------------------------------- secrets


def test_a_token_shows_neither_itself_nor_its_session() -> None:
    token = Token.read(envelope(access_token=ACCESS, expires_in=60, session_id=SESSION))
    assert (token.access_token, token.expires_in, token.session_id) == (ACCESS, 60, SESSION)
    assert token.headers == {"Authorization": f"Bearer {ACCESS}", "x-session-id": SESSION}
    for form in (repr(token), str(token), token._repr_html_(), repr(token.raw), repr(token.headers),
                 repr(token.record()), repr(token.model_dump())):  # fmt: skip
        assert ACCESS not in form
        assert "signature" not in form
        assert SESSION not in form
        assert "53a2cfc4" not in form
    # The word that belongs to the header is seen; it is no secret.
    assert repr(token.headers["Authorization"]) == f"'Bearer …{ACCESS[-4:]}'"


@pytest.mark.parametrize("kind", [Charge, Answer, Balance])
@pytest.mark.parametrize("name", ["access_token", "session_id", "api_key", "webhook_secret"])
def test_a_secret_in_any_answer_is_masked_in_every_form(kind: type[Answer], name: str) -> None:
    secret = "whsec_0123456789abcdefghij"
    answer = kind.read(envelope(reference="A", nested=[{name: secret}], **{name: secret}))
    assert getattr(answer, name) == secret
    for form in (repr(answer), str(answer), answer._repr_html_(), repr(answer.raw)):
        assert "0123456789" not in form
        assert "whsec_…ghij" in form


def test_an_answer_is_a_row_of_a_table() -> None:
    frame = to_frame([Charge.read(envelope(reference=r, amount="0.10")) for r in ("A", "B", "C")])
    assert frame["reference"].tolist() == ["A", "B", "C"]
    assert frame["amount"].sum() == Decimal("0.30")
