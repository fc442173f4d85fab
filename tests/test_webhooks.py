"""Notifications: signed, verified, and every way in which one is not believed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from pay88kit.errors import MissingExtra, WebhookRefused
from pay88kit.webhooks import Decrypt, Notification, Reason, decrypt_jwe, parse, sign, verify

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECRET = "whsec_0123456789abcdefghij"
ID = "sess_4e91a5c1-b7f2-4c64-91b1-3d204a5738b4"
FIELDS: dict[str, Any] = {
    "transaction_date": "2026-01-15 11:59:45",
    "transaction_status": "COMPLETED",
    "transaction_id": ID,
    "transaction_amount": "50000",
    "transaction_payment_method": "CREDIT_CARD",
    "transaction_reference": "IP9BD7CJES6",
    "transaction_currency": "COP",
}
MS = timedelta(milliseconds=1)


def body(**changes: Any) -> bytes:
    fields = FIELDS | changes
    return json.dumps({k: v for k, v in fields.items() if v is not ...}).encode()


def header(**changes: Any) -> str:
    given: dict[str, Any] = {
        "transaction_id": ID, "transaction_amount": "50000", "secret": SECRET, "now": NOW,
        "nonce": b"0123456789ab",
    }  # fmt: skip
    return sign(**(given | changes))


def seal(content: bytes, secret: str = SECRET) -> str:
    """A token made by another program: joserfc itself, from the contract's words."""
    key = OctKey.import_key(hashlib.sha256(secret.encode()).digest())
    return "Bearer " + jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, content, key)


def claims(**changes: Any) -> bytes:
    given = {"transaction_id": ID, "transaction_amount": "50000", "ts": int(NOW.timestamp() * 1000)}
    return json.dumps({k: v for k, v in (given | changes).items() if v is not ...}).encode()


def reason(
    content: bytes, authorization: str | None, secret: str = SECRET, **options: Any
) -> Reason:
    with pytest.raises(WebhookRefused) as caught:
        verify(content, authorization, secret, **({"now": NOW} | options))
    assert str(caught.value).startswith(f"{caught.value.reason}: ")
    assert secret not in str(caught.value)
    found = caught.value.reason
    assert isinstance(found, Reason)
    return found


# ---------------------------------------------------------------- what is genuine


def test_a_signed_notification_is_believed_and_read() -> None:
    notification = verify(body(), header(), SECRET, now=NOW)
    assert notification.transaction_id == ID
    assert notification.status == "COMPLETED"
    assert notification.amount == Decimal("50000")
    assert isinstance(notification.amount, Decimal)
    assert notification.reference == "IP9BD7CJES6"
    assert notification.currency == "COP"
    assert notification.date == datetime(2026, 1, 15, 11, 59, 45, tzinfo=UTC)
    assert notification.fields == FIELDS


amounts = st.decimals(Decimal("0.01"), Decimal("9999999999999999.99"), places=2)


@given(
    st.text(min_size=1),
    amounts,
    st.text(min_size=1),
    st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    st.binary(min_size=12, max_size=12),
)
def test_what_is_signed_verifies_with_its_own_secret_only(
    transaction_id: str, amount: Decimal, secret: str, now: datetime, nonce: bytes
) -> None:
    authorization = sign(transaction_id, f"{amount:f}", secret, now=now, nonce=nonce)
    content = body(transaction_id=transaction_id, transaction_amount=f"{amount:f}")
    assert verify(content, authorization, secret, now=now).amount == amount
    with pytest.raises(WebhookRefused) as caught:
        verify(content, authorization, secret + "x", now=now)
    assert caught.value.reason is Reason.CANNOT_DECRYPT


def test_a_token_made_by_another_program_is_believed() -> None:
    assert verify(body(), seal(claims()), SECRET, now=NOW).transaction_id == ID


def test_another_program_reads_a_signed_token() -> None:
    scheme, _, token = header().partition(" ")
    assert scheme == "Bearer"
    key = OctKey.import_key(hashlib.sha256(SECRET.encode()).digest())
    read = jwe.decrypt_compact(token, key)
    assert read.protected == {"alg": "dir", "enc": "A256GCM"}
    assert json.loads(read.plaintext or b"") == {
        "transaction_id": ID, "transaction_amount": "50000", "ts": 1768478400000,
    }  # fmt: skip
    assert json.loads(decrypt_jwe(token, SECRET))["ts"] == 1768478400000


def test_a_signature_is_the_same_for_the_same_nonce_and_another_for_another() -> None:
    assert header() == header()
    assert header() != header(nonce=b"another nonc")


@pytest.mark.parametrize("sent", ["50000", "50000.0", "50000.00", 50000])
def test_an_amount_equals_itself_however_it_is_written(sent: Any) -> None:
    assert verify(body(transaction_amount=sent), header(), SECRET, now=NOW).amount == 50000


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    token = header().removeprefix("Bearer ")
    assert verify(body(), f"{scheme} {token} ", SECRET, now=NOW).transaction_id == ID


@pytest.mark.parametrize("status", ["COMPLETED", "REJECTED", "PENDING", "REVERSED"])
def test_the_token_does_not_cover_the_status(status: str) -> None:
    assert verify(body(transaction_status=status), header(), SECRET, now=NOW).status == status


def test_another_cipher_can_take_the_place_of_the_assumed_one() -> None:
    seen = []

    def decrypt(token: str, secret: str) -> bytes:
        seen.append((token, secret))
        return claims()

    assert verify(body(), "Bearer opaque", SECRET, now=NOW, decrypt=decrypt).amount == 50000
    assert seen == [("opaque", SECRET)]


# ---------------------------------------------------------------- malformed


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"{", b"[]", b'"text"', b"null", b"7", b"\xff\xfe\x00", b'{"a": NaN}',
     b'{"a": 1e99999999999999999999}', b"[" * 100_000, b"9" * 5000],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_what_is_no_json_object_is_malformed(content: bytes) -> None:
    assert reason(content, header()) is Reason.NOT_JSON
    with pytest.raises(WebhookRefused):
        parse(content)


@pytest.mark.parametrize("name", ["transaction_id", "transaction_status", "transaction_amount"])
@pytest.mark.parametrize("value", [..., None, "", [], {}, True, "5 COP"])
def test_a_missing_field_is_malformed(name: str, value: Any) -> None:
    if value == "5 COP" and name != "transaction_amount":
        value = 7
    assert reason(body(**{name: value}), header()) is Reason.FIELD_MISSING


@pytest.mark.parametrize(
    "amount", ["50,000", "1e5", "NaN", "50000.001", "50000.5x", "9" * 1_000_002],
    ids=lambda amount: amount[:9],
)  # fmt: skip
def test_an_amount_that_is_none_is_malformed(amount: str) -> None:
    assert reason(body(transaction_amount=amount), header()) is Reason.FIELD_MISSING


def test_the_body_is_at_fault_or_its_token() -> None:
    assert {found for found in Reason if found.malformed} == {Reason.NOT_JSON, Reason.FIELD_MISSING}


# ---------------------------------------------------------------- forged


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer  ", "Basic abc", "Bearerx y", "token"]
)
def test_without_a_bearer_token_it_is_not_believed(authorization: str | None) -> None:
    assert reason(body(), authorization) is Reason.MISSING_TOKEN


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "a.b.c.d.e", "....", "é.é.é.é.é", "\x00", "x" * 9999]
)
def test_what_is_no_token_does_not_decrypt(token: str) -> None:
    assert reason(body(), f"Bearer {token}") is Reason.CANNOT_DECRYPT


def test_every_changed_part_of_a_token_is_noticed() -> None:
    parts = header().removeprefix("Bearer ").split(".")
    for number in (0, 2, 3, 4):
        first = parts[number][0]
        changed = ("A" if first != "A" else "B") + parts[number][1:]
        forged = ".".join([*parts[:number], changed, *parts[number + 1 :]])
        assert reason(body(), f"Bearer {forged}") is Reason.CANNOT_DECRYPT, number


def test_a_token_of_another_secret_does_not_decrypt() -> None:
    assert reason(body(), header(secret="whsec_another")) is Reason.CANNOT_DECRYPT


def test_a_token_without_encryption_is_not_taken() -> None:
    def part(data: bytes) -> str:
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    none = part(b'{"alg":"none","enc":"none"}')
    for forged in (f"{none}.{part(claims())}.", f"{none}..{part(b'0' * 12)}.{part(claims())}."):
        assert reason(body(), f"Bearer {forged}") is Reason.CANNOT_DECRYPT


@pytest.mark.parametrize("content", [b"", b"text", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_token_that_holds_no_claims_is_refused(content: bytes) -> None:
    assert reason(body(), seal(content)) is Reason.CANNOT_DECRYPT


@pytest.mark.parametrize("value", ["sess_other", ID + " ", ID.upper(), ..., None, 7, [ID]])
def test_a_token_of_another_transaction_is_refused(value: Any) -> None:
    assert reason(body(), seal(claims(transaction_id=value))) is Reason.OTHER_TRANSACTION


@pytest.mark.parametrize("value", ["50000.01", "49999.99", "5", -50000, ..., None, True, "x", []])
def test_a_token_of_another_amount_is_refused(value: Any) -> None:
    assert reason(body(), seal(claims(transaction_amount=value))) is Reason.OTHER_AMOUNT


@given(amounts, amounts)
def test_a_changed_amount_is_always_noticed(signed: Decimal, said: Decimal) -> None:
    content = body(transaction_amount=f"{said:f}")
    authorization = header(transaction_amount=f"{signed:f}")
    if signed == said:
        verify(content, authorization, SECRET, now=NOW)
    else:
        assert reason(content, authorization) is Reason.OTHER_AMOUNT


def test_a_token_is_believed_for_exactly_five_minutes() -> None:
    five = timedelta(minutes=5)
    for moment in (NOW + five, NOW - five):
        assert verify(body(), header(), SECRET, now=moment).transaction_id == ID
    assert reason(body(), header(), now=NOW + five + MS) is Reason.TOO_OLD
    assert reason(body(), header(), now=NOW - five - MS) is Reason.FROM_THE_FUTURE


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 10**9),
)
def test_both_sides_of_the_tolerance_are_exact_to_the_millisecond(
    signed: datetime, tolerance: int
) -> None:
    signed = signed.replace(microsecond=signed.microsecond // 1000 * 1000)
    allowed = tolerance * MS
    authorization = header(now=signed)
    for side in (1, -1):
        edge = signed + side * allowed
        verify(body(), authorization, SECRET, now=edge, tolerance=allowed)
        beyond = {"now": edge + side * MS, "tolerance": allowed}
        expected = Reason.TOO_OLD if side == 1 else Reason.FROM_THE_FUTURE
        assert reason(body(), authorization, **beyond) is expected


@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
def test_a_token_carries_its_time_in_whole_milliseconds(now: datetime) -> None:
    token = header(now=now).removeprefix("Bearer ")
    ts = json.loads(decrypt_jwe(token, SECRET))["ts"]
    carried = datetime(1970, 1, 1, tzinfo=UTC) + ts * MS
    assert timedelta(0) <= now - carried < MS


def test_another_tolerance_counts() -> None:
    second = timedelta(seconds=1)
    later = NOW + second
    assert verify(body(), header(), SECRET, now=later, tolerance=second).transaction_id == ID
    assert reason(body(), header(), now=later + MS, tolerance=second) is Reason.TOO_OLD


@pytest.mark.parametrize(
    "ts", [..., None, True, "1768478400000", Decimal, [], {}, 10**30, -(10**30), 0, 1768478400]
)
def test_a_token_without_a_usable_time_is_too_old(ts: Any) -> None:
    if ts is Decimal:
        content = claims().replace(b"1768478400000", b"1768478400000.5")
    else:
        content = claims(ts=ts)
    assert reason(body(), seal(content)) is Reason.TOO_OLD


# ---------------------------------------------------------------- whatever the bytes

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
odd_fields = st.dictionaries(st.sampled_from([*FIELDS, "other"]), anything)


def only_refusals(content: bytes, authorization: str | None, secret: str = SECRET) -> None:
    refusal, notification = None, None
    try:
        notification = verify(content, authorization, secret, now=NOW)
    except WebhookRefused as error:
        refusal = error
    if refusal is None:
        assert isinstance(notification, Notification)
    else:
        assert isinstance(refusal.reason, Reason)


@given(st.binary(), st.none() | st.text(), st.text())
@example(b'{"transaction_amount": 1e99999999999999999999}', "Bearer x", "s")
@example(body(), "Bearer x", "\ud800")
def test_any_bytes_are_refused_and_nothing_else_is_raised(
    content: bytes, authorization: str | None, secret: str
) -> None:
    only_refusals(content, authorization, secret)
    only_refusals(body(), f"Bearer {authorization}", secret)


@given(
    odd_fields,
    st.dictionaries(st.sampled_from(["transaction_id", "transaction_amount", "ts"]), anything),
)
def test_odd_fields_and_claims_are_refused_and_nothing_else_is_raised(
    fields: dict[str, Any], odd_claims: dict[str, Any]
) -> None:
    only_refusals(body(**fields), header())
    only_refusals(body(), seal(claims(**odd_claims)))


@given(st.binary())
def test_any_sealed_bytes_are_refused(content: bytes) -> None:
    assert reason(body(), seal(content)) is not Reason.MISSING_TOKEN


@given(st.binary() | odd_fields.map(lambda fields: json.dumps(FIELDS | fields).encode()))
def test_parsing_raises_nothing_but_a_malformed_refusal(content: bytes) -> None:
    refusal, notification = None, None
    try:
        notification = parse(content)
    except WebhookRefused as error:
        refusal = error
    if notification is None:
        assert refusal is not None
        assert refusal.reason.malformed
    else:
        assert notification.date is None or notification.date.tzinfo is UTC
        assert notification.reference is None or isinstance(notification.reference, str)
        assert notification.currency is None or isinstance(notification.currency, str)


def raised(error: Exception) -> Decrypt:
    def decrypt(token: str, secret: str) -> bytes:
        raise error

    return decrypt


@pytest.mark.parametrize(
    "error",
    [
        ImportError("no module"), ModuleNotFoundError("no module"), RecursionError(),
        MemoryError(), StopIteration(), OSError("gone"), UnicodeDecodeError("a", b"b", 0, 1, "c"),
        AssertionError(), WebhookRefused(Reason.NOT_JSON, "x"), Exception(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_decrypt_raises_the_token_did_not_decrypt(error: Exception) -> None:
    with pytest.raises(WebhookRefused) as caught:
        verify(body(), header(), SECRET, now=NOW, decrypt=raised(error))
    assert caught.value.reason is Reason.CANNOT_DECRYPT
    # The kind of a mistake in it is told, its words are not.
    assert type(error).__name__ in caught.value.detail
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_missing_packages_are_no_refusal() -> None:
    with pytest.raises(MissingExtra):
        verify(body(), header(), SECRET, now=NOW, decrypt=raised(MissingExtra("server", "joserfc")))


@given(anything | st.binary() | st.builds(object))
@example(json.loads(claims()))
@example(claims().decode())
def test_whatever_decrypt_returns_nothing_else_is_raised(returned: Any) -> None:
    with contextlib.suppress(WebhookRefused):
        found = verify(body(), header(), SECRET, now=NOW, decrypt=lambda token, secret: returned)
        assert found.transaction_id == ID


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_no_bit_of_a_token_can_be_changed(at: int, flip: int) -> None:
    parts = header().removeprefix("Bearer ").split(".")
    raw = [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
    number = [0, 2, 3, 4][at % 4]
    place = at // 4 % len(raw[number])
    changed = bytearray(raw[number])
    changed[place] ^= flip
    parts[number] = urlsafe_b64encode(bytes(changed)).rstrip(b"=").decode()
    assert reason(body(), "Bearer " + ".".join(parts)) is Reason.CANNOT_DECRYPT


@given(
    st.binary(), st.text(), st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0))
)  # fmt: skip
def test_no_time_raises_anything_else(
    content: bytes, authorization: str, now: datetime, tolerance: timedelta
) -> None:
    for sent, token in ((content, authorization), (body(), header())):
        with contextlib.suppress(WebhookRefused):
            found = verify(sent, token, SECRET, now=now, tolerance=tolerance)
            assert abs(now - NOW) <= tolerance + MS
            assert found.transaction_id == ID


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
def test_json_in_another_encoding_is_malformed(encoding: str) -> None:
    # No record could keep it as it came.
    assert reason(body().decode().encode(encoding), header()) is Reason.NOT_JSON
    assert reason(b'{"x": "\xed\xa0\x80"}', header()) is Reason.NOT_JSON
    assert verify(b"\xef\xbb\xbf" + body(), header(), SECRET, now=NOW).transaction_id == ID


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-17 14:30:45", datetime(2025, 1, 17, 14, 30, 45, tzinfo=UTC)),
        ("2025-01-17T14:30:45Z", datetime(2025, 1, 17, 14, 30, 45, tzinfo=UTC)),
        ("2025-01-17T14:30:45-05:00", datetime(2025, 1, 17, 19, 30, 45, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", None),
        ("17/01/2025", None),
        ("", None),
        (None, None),
        (1737124245, None),
        (..., None),
    ],
)
def test_a_date_is_read_as_utc_or_not_at_all(text: Any, moment: datetime | None) -> None:
    assert parse(body(transaction_date=text)).date == moment


@pytest.mark.parametrize(("length", "kept"), [(255, True), (256, False), (60_000, False)])
def test_a_reference_without_end_is_none(length: int, kept: bool) -> None:
    reference = "R" * length
    notification = parse(body(transaction_reference=reference))
    assert notification.reference == (reference if kept else None)
    assert notification.fields["transaction_reference"] == reference
