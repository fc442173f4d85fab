"""Exercises of lesson 02: token."""

from __future__ import annotations

from collections.abc import Callable

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.guide.exercises.world import ask_balance, local
from pay88kit.language import N_
from pay88kit.models.answers import Token

_ABOUT_AGES = {
    "at_59": "88Pay gives a token 60 seconds. The 50 seconds are your client's own caution.",
    "at_61": "The request is as good as before, but 88Pay no longer knows who sends it.",
}


def _renewed(answer: Callable[[Pay88], object], client: Pay88) -> str:
    sandbox = local(client)
    # Nothing of the minute before counts: the client need not wait for its token limit.
    sandbox.clock.advance(60)
    kept = client.token()
    before, asked = sandbox.clock.now(), _token_requests(client)
    new = of_type(
        answer(client),
        Token,
        "the function returns a token",
        "Return the whole token: without its session id, its text opens nothing.",
        secret=True,
    )
    if sandbox.clock.now() != before:
        passed = (sandbox.clock.now() - before).total_seconds()
        raise NotYet(
            f"a token after {passed:g} s of waiting",
            "a new token at once",
            "Until then, each call would be refused. No customer waits for that.",
        )
    if new.session_id == kept.session_id:
        raise NotYet(
            "the token that the client had kept",
            "another token, with another session id",
            "When 88Pay has ended a token early, the kept one is refused with 401 again.",
        )
    asked = _token_requests(client) - asked
    if client.token().session_id != new.session_id:
        raise NotYet(
            "a new token, and the client still keeps the old one",
            "the client uses the new token from now on",
            "The next call would go out with the dead token, and come back with 401.",
        )
    if asked != 1:
        raise NotYet(f"{asked} token requests for one new token", "1 token request")
    return "another token, with a session id of its own, and the client keeps it"


def _token_requests(client: Pay88) -> int:
    return sum(ask["path"] == "/api/auth/token" for ask in local(client).requests())


def _ages(answer: tuple[object, object], client: Pay88) -> str:
    clock = local(client).clock
    headers = client.token(fresh=True).headers
    seen: dict[str, object] = {}
    for name, seconds in (("at_59", 59), ("at_61", 2)):
        clock.advance(seconds)
        seen[name], _ = ask_balance(client, headers)
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "the status of each answer", _ABOUT_AGES)


def _headers(answer: Callable[[Token], object], client: Pay88) -> str:
    local(client)
    token = client.token(fresh=True)
    headers = of_type(
        answer(token),
        dict,
        "the function returns a dictionary of headers",
        "Each header has a name and a value.",
        secret=True,
    )
    status, message = ask_balance(client, headers)
    if status != 200:
        # The names only: the values open the account.
        named = ", ".join(shown(name) for name in headers) or "no header"
        raise NotYet(
            f"{named}, answered with {status} {message}",
            "headers that 88Pay answers with 200",
            _amiss({str(name).lower(): str(value) for name, value in headers.items()}, token),
        )
    return "88Pay answered 200"


def _amiss(headers: dict[str, str], token: Token) -> str:
    """What is wrong with headers that were refused."""
    if "authorization" not in headers:
        return "Authorization is missing: it carries the token."
    if not headers["authorization"].startswith("Bearer "):
        return "Authorization begins with a word that says what kind of token follows."
    if headers["authorization"] != token.headers["Authorization"]:
        return "The text after Bearer is not the access token of the token that was given."
    if "x-session-id" not in headers:
        return "A header is missing, or has another name. Token and session id are a pair."
    return "The session id is not the one of this token. Token and session id are a pair."


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        id="02.1",
        kind=Kind.CALL,
        title=N_("A new token, now"),
        task=(
            "88Pay has ended your token early, and the client still keeps it. Write the function "
            "that makes this client take a **new** token at once, and returns it. "
            "(`help(client.token)` shows what the call takes.)"
        ),
        answer="renew",
        needs=("client",),
        starter="def renew(client): ...",
        solution="def renew(client):\n    return client.token(fresh=True)",
        wrong=(
            "def renew(client):\n    return client.token()",
            "def renew(client):\n    return Pay88(client.config).token()",
            "def renew(client):\n    client.sandbox.clock.advance(51)\n    return client.token()",
            "def renew(client):\n    return client.token(fresh=True).access_token",
            "def renew(client):\n    client.token(fresh=True)\n    return client.token(fresh=True)",
            "def renew(client):\n    client.token(fresh=True)",
            "def renew(client):\n    return client.token(new=True)",
        ),
        hints=(
            "client.token() returns the kept token for 50 seconds. It has one option.",
            "The option is fresh=True. Do not forget to return the token.",
        ),
        why="88Pay allows 10 token requests a minute: ask for a new token only when you must.",
        check=_renewed,
    ),
    Exercise(
        id="02.2",
        kind=Kind.PREDICT,
        title=N_("59 seconds and 61 seconds"),
        task=(
            "The same token is used twice: when it is 59 seconds old, and when it is 61 seconds "
            "old. Which HTTP status does each balance request get? The check sends both."
        ),
        answer="(at_59, at_61)",
        needs=("client",),
        starter="at_59 = ...\nat_61 = ...",
        solution="at_59 = 200\nat_61 = 401",
        wrong=("at_59 = 401\nat_61 = 401", "at_59 = 200\nat_61 = 403", "at_59, at_61 = 200, 200"),
        hints=(
            "50 seconds is the client's own habit. What does 88Pay say in expires_in?",
            "One is 200. The other is the status of an expired token, which this lesson showed.",
        ),
        why="The token lives for 60 seconds; the client stops at 50 so that it never arrives late.",
        check=_ages,
    ),
    Exercise(
        id="02.3",
        kind=Kind.FAULT,
        title=N_("A request that is always refused"),
        task=(
            "Somebody wrote the headers by hand. 88Pay answers each call with 401, although the "
            "token is new:\n\n"
            "```python\n"
            '{"Authorization": f"Bearer {token.access_token}"}\n'
            "```\n\n"
            "What is missing? Write the function that returns the complete headers."
        ),
        answer="complete_headers",
        needs=("client",),
        starter="def complete_headers(token): ...",
        solution=(
            "def complete_headers(token):\n"
            "    return {\n"
            '        "Authorization": f"Bearer {token.access_token}",\n'
            '        "x-session-id": token.session_id,\n'
            "    }"
        ),
        wrong=(
            "def complete_headers(token):\n"
            '    return {"Authorization": f"Bearer {token.access_token}"}',
            "def complete_headers(token):\n"
            "    return {\n"
            '        "Authorization": token.access_token,\n'
            '        "x-session-id": token.session_id,\n'
            "    }",
            "def complete_headers(token):\n"
            "    return {\n"
            '        "Authorization": f"Bearer {token.access_token}",\n'
            '        "session-id": token.session_id,\n'
            "    }",
            "def complete_headers(token):\n"
            "    return {\n"
            '        "Authorization": f"Bearer {token.session_id}",\n'
            '        "x-session-id": token.access_token,\n'
            "    }",
            'def complete_headers(token):\n    return {"x-session-id": token.session_id}',
            'def complete_headers(token):\n    return f"Bearer {token.access_token}"',
            "def complete_headers(token):\n"
            '    return {"Authorization": "Bearer " + token["access_token"]}',
        ),
        hints=(
            "Compare with token.headers: it has two entries.",
            "The second header is x-session-id. Its value is token.session_id.",
        ),
        why="Token and session id are a pair. One without the other opens nothing.",
        check=_headers,
    ),
)
