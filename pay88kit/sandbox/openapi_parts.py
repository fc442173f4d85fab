"""The small parts that the sandbox's OpenAPI document is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pay88kit.sandbox.reply import MAX_BODY

Json = dict[str, Any]


def ref(name: str, kind: str = "schemas") -> Json:
    """A reference to a named part."""
    return {"$ref": f"#/components/{kind}/{name}"}


def obj(
    properties: Mapping[str, Any], *, optional: Iterable[str] = (), more: bool = False, **rest: Any
) -> Json:
    """An object whose properties are required, but for ``optional``; ``more``: may have others."""
    required = [name for name in properties if name not in set(optional)]
    schema: Json = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = required
    if not more:
        schema["additionalProperties"] = False
    return schema | rest


def array(items: Any, **rest: Any) -> Json:
    """A list of ``items``."""
    return {"type": "array", "items": items, **rest}


def or_null(schema: Mapping[str, Any]) -> Json:
    """``schema``, or null."""
    return {"anyOf": [dict(schema), {"type": "null"}]}


TEXT: Json = {"type": "string"}
# Not blank.
SOME_TEXT: Json = {"type": "string", "minLength": 1, "pattern": r"\S"}
WEB: Json = {"type": "string", "pattern": r"^https?://[^\s/]\S*$"}
MOMENT: Json = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$"}
MONEY: Json = {"type": "string", "pattern": r"^-?\d+\.\d\d$", "examples": ["34490.00"]}
REFERENCE: Json = {"type": "string", "pattern": "^[A-Z0-9]{11}$", "examples": ["IP9BD7CJES6"]}
SESSION: Json = {"type": "string", "pattern": "^sess_[0-9a-f-]{36}$"}
COUNT: Json = {"type": "integer", "minimum": 0}
CENT = Decimal("0.01")
# Numbers may come as text on the control side, so that no program has to write a float.
NUMBER: Json = {"type": ["number", "string"]}

HEADERS: Json = {
    "X-RateLimit-Limit": {
        "description": "Calls a minute; 1000000 where limits are lifted.",
        "required": True,
        "schema": COUNT,
    },
    "X-RateLimit-Remaining": {
        "description": "Calls that are left in this minute.",
        "required": True,
        "schema": COUNT,
    },
    "X-RateLimit-Reset": {
        "description": "When the next place frees, in Unix seconds.",
        "required": True,
        "schema": COUNT,
    },
    "Retry-After": {
        "description": "Whole seconds until a call would be accepted.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "Allow": {"description": "The methods of this path.", "required": True, "schema": TEXT},
}
SECURITY: Json = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "merchantId": {"type": "apiKey", "in": "header", "name": "x-merchant-id"},
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "`access_token` of `POST /api/auth/token`. It lives 60 seconds.",
    },
    "session": {
        "type": "apiKey",
        "in": "header",
        "name": "x-session-id",
        "description": "`session_id` of the same answer as the token.",
    },
}
RATE = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def answer(schema: Any, description: str, headers: Iterable[str] = ()) -> Json:
    """An answer with a JSON body, and the headers it surely has."""
    made: Json = {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }
    named = {name: ref(name, "headers") for name in headers}
    return made | ({"headers": named} if named else {})


def error(
    status: int, description: str, headers: Iterable[str] = (), message: str | None = None
) -> Json:
    """An answer in 88Pay's envelope of an error; ``message`` where it is always the same."""
    properties: Json = {
        "status": {"const": "Error"},
        "code": {"const": status},
        "message": SOME_TEXT if message is None else {"const": message},
    }
    if status == 429:
        properties["retry_after"] = {"type": "integer", "minimum": 1}
    return answer(obj(properties), description, headers)


def common_errors() -> Json:
    """What every operation may answer."""
    failed = obj(
        {
            "status": {"const": "Error"},
            "code": {"type": "integer", "minimum": 500, "maximum": 599},
            "message": TEXT,
        }
    )
    return {
        "413": error(413, f"The body has more than {MAX_BODY // 1024} KiB."),
        "5XX": answer(
            failed,
            "Never by itself: a fault of `/_sandbox/faults` asked for it (which may ask for any "
            "other status, too), or it is a 503 because the file of `--db` cannot be written.",
        ),
    }


def body_of(schema: Json, examples: Mapping[str, Any], *, required: bool = True) -> Json:
    """A request's body, with examples by name."""
    shown = {name: {"value": value} for name, value in examples.items()}
    return {
        "required": required,
        "content": {"application/json": {"schema": schema, "examples": shown}},
    }


def takes_of(
    body: Json | None,
    query: Mapping[str, tuple[str, Json, bool]] | None = None,
    path: Mapping[str, Json] | None = None,
) -> Json:
    """An operation's parameters and body."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in (path or {}).items()
    ]
    parameters += [
        {"name": name, "in": "query", "required": need, "description": text, "schema": schema}
        for name, (text, schema, need) in (query or {}).items()
    ]
    return ({"parameters": parameters} if parameters else {}) | (
        {"requestBody": body} if body is not None else {}
    )
