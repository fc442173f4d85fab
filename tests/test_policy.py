"""What is sent again: a create only when it surely did not happen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay88kit.policy import Decision, Failure, Policy, Step, usable_seconds

CREATES = ["charge", "cash", "cashout", "POST /api/something/new", "DELETE /x"]
READS = ["token", "balance", "GET /api/something"]
BACKOFF = [1.0, 2.0, 4.0]
failures = st.sampled_from(Failure)


@pytest.mark.parametrize("operation", CREATES + READS)
def test_what_was_not_sent_is_sent_again_after_1_2_and_4_seconds(operation: str) -> None:
    for retries, wait in enumerate(BACKOFF):
        decision = Policy().decide(operation, Failure.NOT_SENT, retries=retries)
        assert decision == Decision(Step.RETRY, wait)
    assert Policy().decide(operation, Failure.NOT_SENT, retries=3) == Decision(Step.RAISE)


@pytest.mark.parametrize("operation", CREATES)
@pytest.mark.parametrize(
    ("failure", "status"),
    [(Failure.NO_ANSWER, 0), (Failure.BAD_ANSWER, 200)]
    + [(Failure.STATUS, status) for status in (301, 307, 500, 502, 503, 504, 599)],
)
def test_a_create_that_may_have_happened_is_unknown_and_not_sent_again(
    operation: str, failure: Failure, status: int
) -> None:
    for retries in range(5):
        decision = Policy().decide(operation, failure, status_code=status, retries=retries)
        assert decision == Decision(Step.UNKNOWN)


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize(
    ("failure", "status"),
    [(Failure.NO_ANSWER, 0), (Failure.BAD_ANSWER, 200)]
    + [(Failure.STATUS, status) for status in (500, 502, 503, 504)],
)
def test_a_read_is_sent_again_three_times(operation: str, failure: Failure, status: int) -> None:
    for retries, wait in enumerate(BACKOFF):
        decision = Policy().decide(operation, failure, status_code=status, retries=retries)
        assert decision == Decision(Step.RETRY, wait)
    last = Policy().decide(operation, failure, status_code=status, retries=3)
    assert last == Decision(Step.RAISE)


@pytest.mark.parametrize("operation", CREATES + READS)
@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_is_never_sent_again(operation: str, status: int) -> None:
    assert Policy().decide(operation, Failure.STATUS, status_code=status) == Decision(Step.RAISE)


@pytest.mark.parametrize("status", [302, 402, 408, 409, 425, 499])
def test_a_create_is_unknown_after_a_status_that_says_nothing_of_it(status: int) -> None:
    for operation in CREATES:
        decision = Policy().decide(operation, Failure.STATUS, status_code=status)
        assert decision == Decision(Step.UNKNOWN)
    for operation in READS:
        decision = Policy().decide(operation, Failure.STATUS, status_code=status)
        assert decision == Decision(Step.RAISE)


@pytest.mark.parametrize("operation", [*CREATES, "balance", "GET /x"])
def test_a_401_gets_one_new_token_and_one_more_try(operation: str) -> None:
    first = Policy().decide(operation, Failure.STATUS, status_code=401)
    assert first == Decision(Step.RENEW)
    second = Policy().decide(operation, Failure.STATUS, status_code=401, renewals=1)
    assert second == Decision(Step.RAISE)


def test_a_401_for_the_token_itself_is_final() -> None:
    assert Policy().decide("token", Failure.STATUS, status_code=401) == Decision(Step.RAISE)


@pytest.mark.parametrize("operation", CREATES + READS)
def test_a_rate_limit_is_waited_for_up_to_max_wait(operation: str) -> None:
    def decide(policy: Policy, retry_after: float | None, retries: int = 0) -> Decision:
        return policy.decide(
            operation, Failure.STATUS, status_code=429, retry_after=retry_after, retries=retries
        )

    assert decide(Policy(), 60) == Decision(Step.RETRY, 60)
    assert decide(Policy(), 61) == Decision(Step.RAISE)
    assert decide(Policy(max_wait=0), 1) == Decision(Step.RAISE)
    assert decide(Policy(max_wait=60), 61) == Decision(Step.RAISE)
    assert decide(Policy(max_wait=60), None) == Decision(Step.RAISE)
    assert decide(Policy(max_wait=60), 1, retries=3) == Decision(Step.RAISE)


@pytest.mark.parametrize("operation", READS)
def test_a_redirect_is_not_followed(operation: str) -> None:
    assert Policy().decide(operation, Failure.STATUS, status_code=302) == Decision(Step.RAISE)


def test_another_backoff_is_followed() -> None:
    policy = Policy(backoff=(0.5,))
    assert policy.decide("balance", Failure.NO_ANSWER) == Decision(Step.RETRY, 0.5)
    assert policy.decide("balance", Failure.NO_ANSWER, retries=1) == Decision(Step.RAISE)


@given(
    st.sampled_from(["charge", "cash", "cashout"]),
    failures,
    st.integers(200, 599),
    st.integers(0, 5),
    st.integers(0, 2),
    st.none() | st.floats(0, 1000),
)
def test_a_create_is_only_repeated_when_it_surely_did_not_happen(
    operation: str, failure: Failure, status: int, retries: int, renewals: int,
    retry_after: float | None,
) -> None:  # fmt: skip
    decision = Policy(max_wait=100).decide(
        operation, failure, status_code=status, retries=retries, renewals=renewals,
        retry_after=retry_after,
    )  # fmt: skip
    surely_not = failure is Failure.NOT_SENT or (failure is Failure.STATUS and status in (401, 429))
    if decision.step in (Step.RETRY, Step.RENEW):
        assert surely_not
    if decision.step is Step.UNKNOWN:
        assert not surely_not


@pytest.mark.parametrize(
    ("expires_in", "usable"),
    [(60, 50), (None, 50), (120, 100), (6, 5), (0, 0), (-5, 0), (10**400, 72_000)],
)
def test_a_token_is_used_for_50_of_its_60_seconds(expires_in: float | None, usable: float) -> None:
    assert usable_seconds(expires_in) == pytest.approx(usable, abs=1e-9)
