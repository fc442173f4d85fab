"""The sandbox's own paths in its OpenAPI document: the control side, health, the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pay88kit.models.methods import CATEGORIES, METHODS
from pay88kit.sandbox.control import ACTIONS, SCENARIOS
from pay88kit.sandbox.faults import KINDS, OPERATIONS
from pay88kit.sandbox.limits import LIMITS
from pay88kit.sandbox.openapi_parts import (
    CENT,
    COUNT,
    MOMENT,
    MONEY,
    NUMBER,
    REFERENCE,
    SESSION,
    TEXT,
    Json,
    answer,
    array,
    body_of,
    common_errors,
    error,
    obj,
    or_null,
    ref,
    takes_of,
)
from pay88kit.sandbox.plans import MOST_STEPS, STATUSES, TOKENS


def own_paths() -> Json:
    """What is there with or without the control side."""
    described = answer({"type": "object"}, "This document.")
    health = answer(obj({"status": {"const": "ready"}}), "Ready.")
    return {
        "/openapi.json": {"get": _own("openapi", "This document", {"200": described})},
        "/_sandbox/health": {"get": _own("health", "Whether it is ready", {"200": health})},
    }


def _own(name: str, summary: str, responses: Json, **takes: Any) -> Json:
    return {
        "operationId": name,
        "tags": ["Sandbox"],
        "summary": summary,
        "security": [],
        "responses": dict(sorted((responses | common_errors()).items())),
        **takes_of(takes.get("body"), takes.get("query"), takes.get("path")),
    }


def _control(
    name: str,
    summary: str,
    data: Any,
    errors: Mapping[int, str] | None = None,
    *,
    reads: bool = False,
    created: bool = False,
    **takes: Any,
) -> Json:
    """One call of the control side, which answers ``{"data": …}``. ``reads``: changes nothing."""
    kept = obj({"data": data})
    responses = {"200": answer(kept, "Done.")}
    if created:
        responses["201"] = answer(kept, "Made.")
    known = dict(errors or {})
    if not reads:
        known[403] = "Another site's page asked for it."
    if takes.get("body") is not None:
        known[400] = "A field is wrong; `message` names it."
    responses |= {str(status): error(status, text) for status, text in known.items()}
    return _own(name, summary, responses, **takes)


NO_MERCHANT = {404: "No such merchant."}
NO_TRANSACTION = {404: "No such transaction."}
OF_MERCHANT: Json = {"merchant_id": or_null(TEXT)}


def control_paths() -> Json:
    """The control side."""
    reference = {"reference": REFERENCE}
    paths: Json = {
        "/_sandbox/merchants": {
            "get": _control("merchants", "Its merchants", array(ref("Merchant")), reads=True),
            "post": _control(
                "set_merchant", "Make a merchant, or change a known one", ref("Merchant"),
                created=True,
                body=body_of(ref("MerchantBody"), {"new": {"country": "MEX"}}, required=False),
            ),
        },
        "/_sandbox/clock": {
            "get": _control("clock", "What time it is", ref("Clock"), reads=True),
            "post": _control(
                "move_clock", "Move the clock forward", ref("Clock"),
                body=body_of(
                    ref("ClockBody"),
                    {"by": {"advance": 60}, "to": {"now": "2026-01-15T12:30:00Z"}},
                ),
            ),
        },
        "/_sandbox/transactions": {
            "get": _control(
                "transactions", "All transactions", array(ref("Transaction")), reads=True,
                query={"merchant_id": ("Only this merchant's.", TEXT, False)},
            ),
        },
        "/_sandbox/transactions/{reference}": {
            "get": _control(
                "transaction", "One transaction", ref("Transaction"), NO_TRANSACTION,
                reads=True, path=reference,
            ),
        },
        "/_sandbox/scenarios/{name}": {
            "post": _control(
                "scenario", "Play a situation of the balance page", ref("Ledger"),
                {404: "No such scenario, or merchant."},
                path={"name": {"enum": list(SCENARIOS)}},
                body=body_of(
                    obj(OF_MERCHANT, optional=OF_MERCHANT, more=True),
                    {"first merchant": {}}, required=False,
                ),
            ),
        },
        "/_sandbox/webhooks": {
            "get": _control(
                "webhooks", "Every delivery attempt", array(ref("Delivery")), reads=True,
                query={"reference": ("Only this transaction's.", TEXT, False)},
            ),
        },
        "/_sandbox/webhooks/{id}/resend": {
            "post": _control(
                "resend", "Send a notification again", ref("Delivery"),
                {404: "No such delivery."}, path={"id": {"type": "integer", "minimum": 1}},
            ),
        },
        "/_sandbox/deliveries": {
            "post": _control(
                "plan", "Script a transaction's notifications", ref("DeliveryPlan"),
                NO_TRANSACTION,
                body=body_of(
                    ref("DeliveryPlanBody"),
                    {"repeated, then late": {
                        "reference": "IP9BD7CJES6",
                        "steps": [{"times": 2}, {"after": 60, "status": "PENDING"}],
                    }},
                ),
            ),
        },
        "/_sandbox/faults": {
            "get": _control("faults", "What goes wrong", array(ref("Fault")), reads=True),
            "post": _control(
                "fault", "Make calls fail", ref("Fault"),
                body=body_of(
                    ref("FaultBody"), {"once": {"operation": "charges", "kind": "drop_after"}}
                ),
            ),
            "delete": _control("clear_faults", "End every fault", array(ref("Fault"))),
        },
        "/_sandbox/requests": {
            "get": _control("requests", "What was asked", array(ref("Request")), reads=True),
        },
        "/_sandbox/reset": {
            "post": _control(
                "reset", "Begin again, as new", obj({"seed": {"type": "integer"}}),
                body=body_of(
                    obj({"seed": {"type": "integer"}}, optional=("seed",), more=True),
                    {"the same seed": {}}, required=False,
                ),
            ),
        },
    }  # fmt: skip
    for name, status in ACTIONS.items():
        paths[f"/_sandbox/transactions/{{reference}}/{name}"] = {
            "post": _control(
                name, f"Give a transaction the status {status}", ref("Transaction"),
                NO_TRANSACTION | {409: "Its status is final."}, path=reference,
            )
        }  # fmt: skip
    moves = {
        "settlements": "Move available funds to the merchant's bank",
        "fees": "Take fees",
        "reserves": "Hold a reserve back",
    }
    for name, summary in moves.items():
        refused = {422: "It is more than is available."} if name == "settlements" else {}
        paths[f"/_sandbox/{name}"] = {
            "post": _control(
                name, summary, ref("Ledger"), NO_MERCHANT | refused,
                body=body_of(ref("AmountBody"), {"amount": {"amount": "1500.50"}}),
            )
        }  # fmt: skip
    return paths


# A fault, as `/_sandbox/faults` takes it (faults.read_fault).
FAULT: Json = {
    "operation": {"enum": list(OPERATIONS), "description": "The last part of 88Pay's path."},
    "kind": {"enum": list(KINDS)},
    "times": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 10**6,
        "description": "How many calls it meets; null: all, until it is deleted.",
    },
    "rate": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "sequence": {
        "type": ["array", "null"],
        "items": {"enum": ["fail", "pass"]},
        "minItems": 1,
        "maxItems": 1_000,
    },
    "status": {"type": ["integer", "null"], "minimum": 100, "maximum": 599},
    "message": TEXT,
    "retry_after": {"type": ["integer", "null"], "minimum": 0, "maximum": 10**6},
    "seconds": {"type": ["number", "null"], "minimum": 0, "maximum": 60},
}

# One step of a plan, as `/_sandbox/deliveries` takes it (plans.read_steps).
DELIVERY_STEP: Json = {
    "after": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 10**7,
        "description": "Seconds on the sandbox's clock from the start of the plan.",
    },
    "status": {
        "type": ["string", "null"],
        "examples": list(STATUSES),
        "description": "What the body says instead of the transaction's status.",
    },
    "amount": {"type": ["string", "null"], "description": "What the body says instead."},
    "token": {"enum": [*TOKENS, None]},
    "times": {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
    "retry": {
        "type": ["boolean", "null"],
        "description": "Whether 88Pay's retries follow a failed attempt.",
    },
    "fields": {"type": ["object", "null"], "description": "Fields that the body gets as well."},
}
DELIVERY_PLAN: Json = {
    "reference": TEXT,
    "steps": array(
        obj(DELIVERY_STEP, optional=DELIVERY_STEP),
        maxItems=MOST_STEPS,
        description="In place of 88Pay's own notifications, from when the transaction is final.",
    ),
}


def control_schemas() -> Json:
    """What the control side takes and answers."""
    return _answers() | _bodies()


def _answers() -> Json:
    figures = ("payin", "payout", "settled", "fees", "reserves", "advanced", "available", "net")
    whole = {"type": "integer", "minimum": 1}
    anything: Json = {}
    happened = obj({"at": MOMENT, "what": TEXT})
    fault_left = FAULT | {
        # A rate or a sequence that is used up, or a count that has run down.
        "times": {"type": ["integer", "null"], "minimum": 0},
        "sequence": or_null(array({"enum": ["fail", "pass"]})),
        "message": TEXT,
    }
    return {
        "Merchant": obj(
            {
                "merchant_id": TEXT, "api_key": TEXT, "webhook_secret": TEXT,
                "country": ref("Country"), "currency": ref("Currency"),
                "credit_limit": MONEY, "suspended": {"type": "boolean"},
            }
        ),
        "Transaction": obj(
            {
                "reference": REFERENCE, "transaction_id": SESSION, "merchant_id": TEXT,
                "flow": {"enum": ["PAYIN", "PAYOUT"]}, "method_code": {"enum": list(METHODS)},
                "method_category": {"enum": list(CATEGORIES)}, "status": {"enum": list(STATUSES)},
                "amount": MONEY, "currency": ref("Currency"), "country": ref("Country"),
                "customer_id": TEXT, "description": TEXT,
                "created_at": MOMENT, "updated_at": MOMENT,
            }
        ),
        "Delivery": obj(
            {
                "id": whole, "reference": REFERENCE, "attempt": whole, "at": MOMENT, "url": TEXT,
                "request_body": {"type": "object"},
                "status_code": {"type": ["integer", "null"]}, "response_body": TEXT,
                "latency_ms": {"type": ["integer", "null"]}, "outcome": TEXT,
            }
        ),
        "Clock": obj(
            {"now": MOMENT, "manual": {"type": "boolean"}, "ran": array(happened)},
            optional=("ran",),
        ),
        "Ledger": obj({"merchant_id": TEXT} | dict.fromkeys(figures, MONEY)),
        "Request": obj(
            {
                "at": MOMENT, "method": TEXT, "path": TEXT,
                "status_code": {"type": ["integer", "null"]},
                "request_body": anything, "response_body": anything,
            }
        ),
        "Fault": obj(fault_left),
        "DeliveryPlan": obj(
            DELIVERY_PLAN | {"steps": array(obj(DELIVERY_STEP), maxItems=MOST_STEPS)}
        ),
    }  # fmt: skip


def _bodies() -> Json:
    bounds = array(COUNT, minItems=2, maxItems=2)
    merchant = {
        "merchant_id": or_null({"type": "string", "pattern": r"^[\w-]{1,64}$"}),
        "country": or_null(ref("Country")),
        "currency": or_null(ref("Currency")),
        "credit_limit": {"type": ["number", "string", "null"], "minimum": 0, "multipleOf": CENT},
        "suspended": {"type": ["boolean", "null"]},
        "limits": {
            "type": ["object", "null"],
            "description": "Calls per minute and per hour; null lifts every limit.",
            "properties": dict.fromkeys(LIMITS, bounds),
            "additionalProperties": False,
        },
    }
    return {
        "MerchantBody": obj(merchant, optional=merchant),
        "ClockBody": {
            "description": "Seconds to move by, or a moment to move to.",
            "anyOf": [
                obj({"advance": NUMBER | {"minimum": 0}}, more=True),
                obj({"now": TEXT | {"format": "date-time"}}, more=True),
            ],
        },
        "AmountBody": obj(
            {"amount": NUMBER | {"exclusiveMinimum": 0, "multipleOf": CENT}} | OF_MERCHANT,
            optional=OF_MERCHANT,
            more=True,
        ),
        "FaultBody": obj(FAULT, optional=[n for n in FAULT if n not in ("operation", "kind")]),
        "DeliveryPlanBody": obj(DELIVERY_PLAN),
    }
