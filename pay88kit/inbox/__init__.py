"""A receiver of 88Pay's notifications: checks each one, keeps it, and only then answers 200.

In a notebook:

    inbox = Inbox(client.config)
    client.charge(…, notification_url=inbox.url)
    inbox.wait(1)

In a service of your own, FastAPI or Starlette:

    inbox = Inbox(books="postgresql://…", public_url="https://shop.example")
    app.mount("/webhooks", inbox.app)

    @inbox.on("COMPLETED")
    def ship(event):
        …
"""

from pay88kit.inbox.app import PATH, RECEIVED
from pay88kit.inbox.handlers import Retries
from pay88kit.inbox.received import Received
from pay88kit.inbox.receiver import Inbox

__all__ = ["PATH", "RECEIVED", "Inbox", "Received", "Retries"]
