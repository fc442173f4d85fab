"""The floor under the sandbox: one fixed answer, on the same Starlette and uvicorn.

Run as ``python -m tests.bench.static_app PORT``.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# As long as the sandbox's answer to a charge.
ANSWER = b'{"status": "Success", "code": 200, "message": "%s"}' % (b"x" * 230)


async def answer(request: Request) -> Response:
    """The same for every path; the body is read, as the sandbox does."""
    await request.body()
    return Response(ANSWER, 200, {"Content-Type": "application/json"})


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])]),
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
    )
