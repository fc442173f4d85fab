"""The error tree: one class per status, what each says, and what none of them says."""

from __future__ import annotations

import importlib
import sys

import pytest

from pay88kit import errors
from pay88kit.errors import (
    ConnectionFailed,
    InvalidRequest,
    KeyConflict,
    MalformedAnswer,
    MissingExtra,
    OutcomeUnknown,
    Pay88Error,
    PortInUse,
    Problem,
    RateLimited,
    StatusError,
    status_error,
)

# Section 3 of the contract.
CLASS_NAMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    422: "UnprocessableEntity",
    429: "RateLimited",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


@pytest.mark.parametrize(("status", "name"), CLASS_NAMES.items())
def test_each_status_of_the_contract_has_its_own_class(status: int, name: str) -> None:
    kind = status_error(status)
    assert kind is getattr(errors, name)
    assert issubclass(kind, StatusError)
    assert issubclass(kind, Pay88Error)
    assert issubclass(kind, errors.ServerError) == (status >= 500)


@pytest.mark.parametrize(
    ("status", "kind"), [(418, StatusError), (302, StatusError), (507, errors.ServerError)]
)
def test_another_status_falls_back_to_its_family(status: int, kind: type[StatusError]) -> None:
    assert status_error(status) is kind


@pytest.mark.parametrize("status", CLASS_NAMES)
def test_a_status_error_carries_what_a_program_needs_and_says_it(status: int) -> None:
    error = status_error(status)(
        "charge", status, "the message of 88Pay", session_tail="d98e", body={"code": status}
    )
    assert (error.operation, error.status_code, error.message) == (
        "charge", status, "the message of 88Pay",
    )  # fmt: skip
    assert (error.session_tail, error.body) == ("d98e", {"code": status})
    first, *advice = str(error).splitlines()
    assert first == f"charge: {status} the message of 88Pay [session …d98e]"
    assert advice == [error.advice]
    assert len(error.advice) > 20


def test_a_status_error_without_a_session_does_not_speak_of_one() -> None:
    assert "session" not in str(status_error(404)("GET /x", 404, "Not found"))


@pytest.mark.parametrize(("retry_after", "said"), [(17, "Wait 17 s"), (None, "Wait a minute")])
def test_a_rate_limit_says_how_long_to_wait(retry_after: int | None, said: str) -> None:
    error = RateLimited("charge", 429, "Rate limit exceeded.", retry_after=retry_after)
    assert said in str(error)
    assert error.retry_after == retry_after


def test_an_unknown_outcome_forbids_to_send_again_and_names_the_way_out() -> None:
    error = OutcomeUnknown("charge", "The answer was lost.", key="order-1", marker="op-1")
    assert (error.key, error.marker) == ("order-1", "op-1")
    for part in ("charge (key 'order-1')", "Do not send it again", "books.resolve"):
        assert part in str(error)
    assert not isinstance(error, ConnectionFailed)


def test_a_malformed_answer_is_a_failed_connection_that_was_sent() -> None:
    error = MalformedAnswer("balance", "not JSON", sent=True)
    assert isinstance(error, ConnectionFailed)
    assert error.sent
    assert str(error) == "balance: not JSON"


def test_an_invalid_request_names_field_fault_and_cure_of_every_problem() -> None:
    error = InvalidRequest(
        Problem("amount", "is missing.", "Give it."), Problem("country", "is empty.", "Use COL.")
    )
    assert error.field == "amount"
    assert str(error) == "amount: is missing. Give it.\ncountry: is empty. Use COL."
    assert [problem.field for problem in error.problems] == ["amount", "country"]


def test_a_key_conflict_and_a_port_in_use_say_what_to_do() -> None:
    assert "use a new key" in str(KeyConflict("order-1", "charge"))
    error = PortInUse(8088)
    assert error.port == 8088
    assert "Port 8088 is in use" in str(error)
    assert "--port" in str(error)


# ---------------------------------------------------------------- missing extras


def test_needs_turns_a_missing_package_into_the_line_that_installs_it() -> None:
    with pytest.raises(MissingExtra) as caught, errors.needs("frames"):
        importlib.import_module("package_that_nobody_has.part")
    assert (caught.value.extra, caught.value.module) == ("frames", "package_that_nobody_has")
    assert 'pip install "pay88kit[frames]"' in str(caught.value)
    assert isinstance(caught.value, ImportError)


def test_needs_does_not_blame_an_extra_for_a_fault_of_the_kit_itself() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, errors.needs("books"):
        importlib.import_module("pay88kit.no_such_room")
    assert not isinstance(caught.value, MissingExtra)


def test_books_without_their_extra_name_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "pay88kit.books", raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingExtra, match=r'pip install "pay88kit\[books\]"'):
        importlib.import_module("pay88kit.books")


def test_a_frame_without_its_extra_names_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pay88kit import to_frame

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r'pip install "pay88kit\[frames\]"'):
        to_frame([{"amount": 1}])


def test_verifying_without_its_extra_is_not_taken_for_a_forgery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from datetime import UTC, datetime

    from pay88kit.webhooks import verify

    monkeypatch.setitem(sys.modules, "joserfc", None)
    body = b'{"transaction_id": "a", "transaction_status": "COMPLETED", "transaction_amount": "1"}'
    with pytest.raises(MissingExtra, match=r'pip install "pay88kit\[server\]"'):
        verify(body, "Bearer x", "secret", now=datetime(2026, 1, 15, tzinfo=UTC))
