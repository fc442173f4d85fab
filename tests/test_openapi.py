"""The sandbox's own description: sound, complete, and true, which schemathesis tries."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from support import MERCHANT, PATHS, caller, in_process, served

from pay88kit import Sandbox

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def describe(**options: Any) -> dict[str, Any]:
    with Sandbox(**options) as sandbox, in_process(sandbox) as http:
        answer = http.get("/openapi.json")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        return dict(answer.json())


DOCUMENT = describe()
OPERATIONS = [
    (method, path)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method in METHODS
]


# ---------------------------------------------------------------- sound and complete


def test_the_document_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)


def test_the_validator_finds_a_fault() -> None:
    wrong = json.loads(json.dumps(DOCUMENT))
    del wrong["paths"]["/api/balance"]["post"]["responses"]["200"]["description"]
    assert not OPENAPI_31_VALIDATOR.is_valid(wrong)


def test_every_reference_leads_somewhere() -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            yield from node.get("discriminator", {}).get("mapping", {}).values()
        for item in node.values() if isinstance(node, dict) else node:
            if isinstance(item, dict | list):
                yield from references(item)

    found = set(references(DOCUMENT))
    for reference in found:
        node: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    unused = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]} - found
    assert not unused


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_every_path_has_exactly_the_methods_that_are_described(path: str) -> None:
    described = {method.upper() for method in DOCUMENT["paths"][path]}
    with Sandbox() as sandbox, in_process(sandbox) as http:
        address = path.format(reference="IP9BD7CJES6", id="1", name="empty")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = http.request(method, address)
            if method in described:
                assert answer.status_code != 405
                assert not answer.json().get("message", "").startswith("path:")
            else:
                assert answer.status_code == 405
                assert set(answer.headers["allow"].split(", ")) == described


def test_every_route_is_described() -> None:
    with Sandbox() as sandbox:
        routes = {(method.lower(), path) for method, path in sandbox.routes()}
    # The names of what stands in a path are the document's own.
    named = {"reference", "id", "name"}
    described = {(method, path.format(**dict.fromkeys(named, "{}"))) for method, path in OPERATIONS}
    assert described == routes


def test_without_its_control_side_only_what_answers_is_described() -> None:
    assert set(describe(control=False)["paths"]) == {*PATHS, "/openapi.json", "/_sandbox/health"}
    with Sandbox(control=False) as sandbox:
        assert {path for _, path in sandbox.routes()} == set(describe(control=False)["paths"])


def test_the_server_is_the_address_it_was_asked_at() -> None:
    with Sandbox() as sandbox, sandbox.serve() as url:
        assert requests.get(f"{url}/openapi.json", timeout=60).json()["servers"][0]["url"] == url


# ---------------------------------------------------------------- true: schemathesis

# The coverage cases follow from the document, the others from the seed: each run is the same.
SEED = 88
# A body that fits may still be refused, for rules between its fields that the document only words;
# that nobody gets in without credentials is a test of its own.
LEFT_OUT = [positive_data_acceptance, ignored_auth]
TRIED: Counter[str] = Counter()
ANSWERED: dict[str, Counter[int]] = {}


def load(method: str, path: str, *, most: int = 30, coverage: bool = True) -> Any:
    """One operation; at most ``most`` random cases of it."""
    settings = {
        "seed": SEED,
        "generation": {"deterministic": True, "max-examples": most},
        "phases": {"coverage": {"enabled": coverage}},
    }
    config = schemathesis.Config.from_dict(settings)
    # The path's other methods stay known: asking for them is no fault.
    document = DOCUMENT | {"paths": {path: DOCUMENT["paths"][path]}}
    return schemathesis.openapi.from_dict(document, config=config).include(method=method.upper())


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        sandbox.scenario("profitable")
        yield sandbox


@pytest.fixture(scope="module")
def steered() -> Iterator[Sandbox]:
    """Another one: the faults that are asked for here must not meet the payments."""
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def url(sandbox: Sandbox) -> Iterator[str]:
    with sandbox.serve() as url:
        yield url


@pytest.fixture(scope="module")
def steered_url(steered: Sandbox) -> Iterator[str]:
    with steered.serve() as url:
        yield url


@pytest.fixture(scope="module")
def credentials(sandbox: Sandbox) -> dict[str, str]:
    """Those of every operation; the clock stands, so the token lives."""
    merchant = caller(sandbox)
    keys = {"x-api-key": merchant.api_key, "x-merchant-id": merchant.merchant_id}
    return keys | merchant.headers()


@pytest.fixture(scope="module")
def known(steered: Sandbox) -> Callable[[Case], None]:
    """Makes every other case that fits be about a transaction that exists."""
    turn = itertools.count()

    def reference() -> str:
        made = caller(steered).charge()
        if next(turn) % 3:
            steered.complete(made)
        return made

    def use(case: Case) -> None:
        fits = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
        if not fits or next(turn) % 2:
            return
        if "reference" in case.path_parameters:
            case.path_parameters["reference"] = reference()
        elif "id" in case.path_parameters:
            steered.complete(caller(steered).charge())
            case.path_parameters["id"] = steered.webhooks()[-1]["id"]
        elif isinstance(case.body, dict) and "steps" in case.body:
            case.body["reference"] = reference()
        elif isinstance(case.body, dict) and "amount" in case.body:
            # More than there is: to settle it is against a rule.
            case.body |= {"merchant_id": MERCHANT, "amount": "9000000000000.00"}

    return use


def ask(kind: str, case: Case, url: str, session: requests.Session, headers: Any = None) -> int:
    """Ask, and check status, headers, type and body of the answer; returns its status."""
    answer = case.call_and_validate(
        base_url=url, session=session, headers=headers, excluded_checks=LEFT_OUT
    )
    TRIED[kind] += 1
    ANSWERED.setdefault(kind, Counter())[answer.status_code] += 1
    return answer.status_code


def payment(case: Case, url: str, session: requests.Session, credentials: dict[str, str]) -> None:
    """With credentials, 88Pay's paths answer as described."""
    ask("payments", case, url, session, credentials)


def stranger(case: Case, url: str, session: requests.Session) -> None:
    """Without, they refuse as described."""
    assert ask("strangers", case, url, session) == 401


def steering(
    case: Case, steered_url: str, session: requests.Session, known: Callable[[Case], None]
) -> None:
    """The sandbox's own paths answer as described."""
    known(case)
    ask("control", case, steered_url, session)


# A test of its own name for each operation: those that schemathesis makes out of one function share
# an id, and xdist runs only the first of them.
for _method, _path in OPERATIONS:
    _name = DOCUMENT["paths"][_path][_method]["operationId"]
    if _path.startswith("/api/"):
        globals()[f"test_{_name}_answers_as_described"] = load(_method, _path).parametrize()(
            payment
        )
        _short = load(_method, _path, most=100, coverage=False)
        globals()[f"test_{_name}_refuses_strangers"] = _short.parametrize()(stranger)
    else:
        globals()[f"test_control_{_name}"] = load(_method, _path).parametrize()(steering)


def test_enough_was_tried(record_property: Callable[[str, object], None]) -> None:
    """Runs after the others of this file: the cases reached every kind of answer."""
    record_property("schemathesis_cases", sum(TRIED.values()))
    for kind, count in TRIED.items():
        answers = ", ".join(f"{n} x {status}" for status, n in sorted(ANSWERED[kind].items()))
        print(f"schemathesis: {kind}: {count} cases answered {answers}")
    print(f"schemathesis: {sum(TRIED.values())} cases in all")
    if len(TRIED) < 3:
        pytest.skip("only a part of this file was run")
    assert sum(TRIED.values()) > 3_000
    assert {200, 400, 403, 405, 422} <= set(ANSWERED["payments"])
    assert {200, 201, 400, 404, 405, 409, 422} <= set(ANSWERED["control"])


# ---------------------------------------------------------------- true: the answers that need more


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", [403, 413, 429, 500, 503])
def test_rare_answers_are_described(path: str, status: int) -> None:
    operation = load("post", path)[path]["POST"]
    limits = dict.fromkeys(("transactions", "balance"), (1, 1))
    with Sandbox(limits=limits) as sandbox, served(sandbox) as http:
        merchant = caller(sandbox, http)
        keys = {"x-api-key": merchant.api_key, "x-merchant-id": merchant.merchant_id}
        headers = keys | merchant.headers()
        if status == 403:
            sandbox.merchant(merchant_id=merchant.merchant_id, suspended=True)
        elif status == 429:
            for _ in range(10):
                merchant.post(path, b"{}", headers=headers)
        elif status >= 500:
            sandbox.fault("*", "status", status=status)
        body = b" " * 70_000 if status == 413 else b"{}"
        answer = merchant.post(path, body, headers=headers)
    assert answer.status_code == status
    assert str(status) in operation.definition.raw["responses"] or status >= 500
    operation.validate_response(answer)


def test_a_path_with_a_line_break_is_answered_like_any_other() -> None:
    with Sandbox() as sandbox, served(sandbox) as http:
        answer = http.get("/_sandbox/transactions/a%0Ab")
        assert answer.json()["message"] == "reference: no transaction 'a\\nb'."
        assert http.get("/api/a%0Ab").json()["code"] == 404
