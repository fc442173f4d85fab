"""A complete shop: order, charge, checkout, a page that promises nothing, and the webhook.

    pip install fastapi uvicorn
    pay88 sandbox                   (in another terminal; put what it prints into .env)
    uvicorn shop:app --port 8000

Then open http://127.0.0.1:8000.
"""

import os
from html import escape

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from pay88kit import Inbox, Pay88

# The address under which the customer, and 88Pay, reach this shop.
HOME = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")

client = Pay88()
inbox = Inbox(client.config, public_url=HOME)
paid: dict = {}  # in your shop: a table, with the order number as its key

app = FastAPI()
app.mount("/webhooks", inbox.app)


@app.get("/")
def front() -> HTMLResponse:
    return HTMLResponse('<form method="post" action="/orders/1001"><button>Buy</button></form>')


@app.post("/orders/{number}")
def order(number: str) -> RedirectResponse:
    charge = client.charge(
        key=number,  # a double click is one charge
        method_code="CARDS",
        amount=50_000,
        currency="COP",
        country="COL",
        description=f"Order {number}",
        customer_id="customer-7",
        notification_url=inbox.url,
        return_url=f"{HOME}/orders/{number}",
    )
    return RedirectResponse(charge.url_checkout, status_code=303)


@app.get("/orders/{number}")
def confirmation(number: str) -> HTMLResponse:
    # The customer's browser comes here paid, declined, or before either is known.
    state = "is paid. Thank you!" if number in paid else "is waiting for 88Pay. Look again soon."
    return HTMLResponse(f"<p>Order {escape(number)} {state}</p>")


@inbox.on("COMPLETED")
def deliver(event) -> None:
    # Runs after the notification is kept; perhaps twice, so it sets and does not add.
    paid[event.key] = event.amount
