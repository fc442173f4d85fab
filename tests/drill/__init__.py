"""The drill: keyed charges and payouts under faults and SIGKILL, until books and ledger agree."""
