"""Write the sample that the report ``webhook_check`` shows without a file of its own.

    python tests/tools/write_sample_check.py

It is a check of the invented merchant of the tests that compares no amounts.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from merchants.shop_fastapi import PATH, make_app  # noqa: E402

from pay88kit.endpoint_check import EndpointCheck, check_endpoint  # noqa: E402
from pay88kit.endpoint_check.results import INVENTED  # noqa: E402
from pay88kit.serving import Server  # noqa: E402

SAMPLE = ROOT / "pay88kit" / "endpoint_check" / "sample.json"
SECRET = "a secret of the sample"


def fresh() -> EndpointCheck:
    """The sample, made now; without what differs from run to run."""
    server = Server(make_app(SECRET, "checks no amount"))
    try:
        check = check_endpoint(server.url + PATH, SECRET, effects=f"{server.url}/effects")
    finally:
        server.close()
    return replace(
        check,
        url=INVENTED,
        at="2026-01-15T12:00:00Z",
        results=tuple(replace(result, reference=None, slowest_ms=None) for result in check.results),
    )


if __name__ == "__main__":
    fresh().save(SAMPLE)
