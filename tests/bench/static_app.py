"""The floor under the sandbox: one fixed answer, on the same server with the same settings.

The sandbox uses no web framework, so neither does the floor. Run as
``python -m tests.bench.static_app PORT``.
"""

import sys
import time
from typing import Any

from pay88kit.serving import Server

# As long as the sandbox's answer to a charge.
ANSWER = b'{"status": "Success", "code": 200, "message": "%s"}' % (b"x" * 230)
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """The same for every path; the body is read, as the sandbox does."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    Server(answer, int(sys.argv[1]))
    while True:
        time.sleep(1)
