"""The judge of a merchant's own webhook endpoint.

check = check_endpoint("http://127.0.0.1:8000/webhooks/88pay", secret=…)
check                        # a table: what was sent, expected, came back
check.faults                 # what to mend first

def test_webhooks():
    assert_endpoint("http://127.0.0.1:8000/webhooks/88pay", secret=…)
"""

from pay88kit.endpoint_check.notification import SignerFailed
from pay88kit.endpoint_check.probes import PROBES, Verdict
from pay88kit.endpoint_check.results import EndpointCheck, Result, read, sample
from pay88kit.endpoint_check.run import assert_endpoint, check_endpoint

__all__ = [
    "PROBES",
    "EndpointCheck",
    "Result",
    "SignerFailed",
    "Verdict",
    "assert_endpoint",
    "check_endpoint",
    "read",
    "sample",
]
