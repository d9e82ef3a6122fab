"""Takes orders: reserves the item at `stock`, then charges for it at `payments`."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor

import httpx
from fastapi import FastAPI
from pydantic import BaseModel

STOCK_URL = os.environ.get("STOCK_URL", "http://127.0.0.1:8102")
PAYMENTS_URL = os.environ.get("PAYMENTS_URL", "http://127.0.0.1:8103")
# The seeded defect: a thread of a pool has no trace context of its own, and nobody hands it the caller's.
LOSE_CONTEXT = os.environ.get("LOSE_CONTEXT") == "1"

app = FastAPI()
log = logging.getLogger("shop")
pool = ThreadPoolExecutor(4)


class Order(BaseModel):
    """What a customer wants."""

    item: str
    quantity: int


@app.post("/orders")
def place(order: Order) -> dict[str, object]:
    """Reserves, charges, confirms."""
    send("reservations", STOCK_URL, order)
    if LOSE_CONTEXT:
        pool.submit(send, "charges", PAYMENTS_URL, order).result()
    else:
        send("charges", PAYMENTS_URL, order)
    log.warning("order placed: %d x %s", order.quantity, order.item)
    return {"item": order.item, "status": "placed"}


def send(path: str, url: str, order: Order) -> None:
    """Raises when the other service refuses."""
    httpx.post(f"{url}/{path}", json=order.model_dump()).raise_for_status()
