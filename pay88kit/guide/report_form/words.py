"""What the form calls the reports and their parameters; it is translated where it is shown."""

from __future__ import annotations

from pay88kit.language import N_

# By a report's name: what it is called, and what it is for.
REPORTS = {
    "daily_balance": (
        N_("Daily balance"),
        N_("The balance of a day, and what was paid in and paid out on it."),
    ),
    "onboarding": (
        N_("Onboarding"),
        N_("How far an integration is: 88Pay's checklist, with the evidence."),
    ),
    "reconciliation": (
        N_("Reconciliation"),
        N_("Whether the books and 88Pay's balance agree, and what makes the difference."),
    ),
    "transactions": (
        N_("Transactions"),
        N_("By method, country, status and day: amounts, acceptance, and how long it took."),
    ),
    "webhook_check": (
        N_("Webhook check"),
        N_("What an endpoint for webhooks does right, and what is to be mended."),
    ),
}

PARAMETERS = {
    "merchant_id": N_("Merchant"),
    "day": N_("Day"),
    "first_day": N_("First day"),
    "last_day": N_("Last day"),
    "timezone": N_("Time zone"),
    "profile": N_("Profile"),
    "developer": N_("Developer"),
    "results": N_("Results"),
}
