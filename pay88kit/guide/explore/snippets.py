"""One request as a program of its own: Python, cURL in a shell, JavaScript; and pretty JSON.

A copy takes a token of its own, and the credentials from the environment. A stranger's text gets
into a program through :func:`pretty`, whose ASCII knows no quote but JSON's own, and through
:func:`target`, which leaves nothing but an address's characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from pay88kit import money
from pay88kit.client.exchange import PATHS

NEEDS = ("PAY88_API_KEY", "PAY88_MERCHANT_ID")


@dataclass(frozen=True)
class Request:
    """What is asked: ``address`` is 88Pay's, ``target`` the path with its query."""

    address: str
    method: str
    target: str
    body: Any = None


def target(path: str, params: Mapping[str, str] | None = None) -> str:
    """Path and query, with everything quoted that could mean something to a program."""
    quoted = quote(path, safe="/?&=%:,;@+-._~")
    return quoted + (("&" if "?" in quoted else "?") + urlencode(params) if params else "")


def pretty(value: Any, indent: str = "") -> str:
    """JSON on several lines, ASCII only, every number exact.

    Raises:
        TypeError: for what has no exact JSON form.
    """
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        parts = [f"{money.dumps(str(n))}: {pretty(v, inner)}" for n, v in value.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and value:
        parts = [pretty(item, inner) for item in value]
        return "[\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}]"
    return money.dumps(value)


def python(request: Request) -> str:
    """A Python program. It needs httpx."""
    is_token = request.target == PATHS["token"]
    head = f"""\
# pip install httpx; set {" and ".join(NEEDS)} first.
import os

import httpx

address = {money.dumps(request.address)}
answer = httpx.post(
    address + {money.dumps(PATHS["token"])},
    headers={{
        "x-api-key": os.environ["PAY88_API_KEY"],
        "x-merchant-id": os.environ["PAY88_MERCHANT_ID"],
    }},
)
"""
    if is_token:
        return head + 'print(answer.status_code, answer.json()["message"])\n'
    json, content = "", "    headers=headers,\n"
    if request.body is not None:
        # No three quotes stand together in JSON.
        json = "# As text: a float does not hold money exactly.\n"
        json += f'body = r"""\n{pretty(request.body)}\n"""\n'
        content = '    headers=headers | {"Content-Type": "application/json"},\n    content=body,\n'
    return f"""\
{head}token = answer.raise_for_status().json()["data"]
headers = {{
    "Authorization": "Bearer " + token["access_token"],
    "x-session-id": token["session_id"],
}}
{json}answer = httpx.request(
    {money.dumps(request.method)},
    address + {money.dumps(request.target)},
{content})
print(answer.status_code)
print(answer.text)
"""


def curl(request: Request) -> str:
    """A shell program around curl. Secrets go in by standard input, where no ``ps`` shows them."""
    head = f"""\
# sh, Git Bash or WSL; set {" and ".join(NEEDS)} first.
address='{request.address}'
token=$(curl -sS -X POST "$address{PATHS["token"]}" -H @- <<END
x-api-key: $PAY88_API_KEY
x-merchant-id: $PAY88_MERCHANT_ID
END
)
field() {{ printf '%s' "$token" | sed -n "s/.*\\"$1\\": *\\"\\([^\\"]*\\)\\".*/\\1/p"; }}
"""
    if request.target == PATHS["token"]:
        return head + "field message\n"
    body = ""
    if request.body is not None:
        # The same JSON, without a quote that would end the shell's.
        json = pretty(request.body).replace("'", "\\u0027")
        body = f" -H 'Content-Type: application/json' --data-binary '{json}'"
    return f"""\
{head}curl -sS -X {request.method} "$address"'{request.target}' -H @-{body} <<END
Authorization: Bearer $(field access_token)
x-session-id: $(field session_id)
END
"""


def javascript(request: Request) -> str:
    """A JavaScript program for Node 18 or later."""
    head = f"""\
// Node 18 or later; set {" and ".join(NEEDS)} first.
async function main() {{
  const address = {money.dumps(request.address)};
  let answer = await fetch(address + {money.dumps(PATHS["token"])}, {{
    method: "POST",
    headers: {{
      "x-api-key": process.env.PAY88_API_KEY,
      "x-merchant-id": process.env.PAY88_MERCHANT_ID,
    }},
  }});
"""
    if request.target == PATHS["token"]:
        return head + "  console.log(answer.status, (await answer.json()).message);\n}\n\nmain();\n"
    json, content, kind = "", "", ""
    if request.body is not None:
        # The same JSON, without what would end the text or call something in it.
        text = pretty(request.body).replace("`", "\\u0060").replace("$", "\\u0024")
        json = "  // As text: a number of JavaScript does not hold money exactly.\n"
        json += f"  const body = String.raw`{text}`;\n"
        content, kind = "    body,\n", '      "Content-Type": "application/json",\n'
    return f"""\
{head}  const token = (await answer.json()).data;
{json}  answer = await fetch(address + {money.dumps(request.target)}, {{
    method: {money.dumps(request.method)},
    headers: {{
      Authorization: "Bearer " + token.access_token,
      "x-session-id": token.session_id,
{kind}    }},
{content}  }});
  console.log(answer.status);
  console.log(await answer.text());
}}

main();
"""
