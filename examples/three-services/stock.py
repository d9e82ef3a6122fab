"""Keeps the shelves: reserves items."""

import logging

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
log = logging.getLogger("stock")


class Reservation(BaseModel):
    """How many of what."""

    item: str
    quantity: int


@app.post("/reservations")
def reserve(reservation: Reservation) -> dict[str, int]:
    """Always has enough."""
    log.warning("reserved %d x %s", reservation.quantity, reservation.item)
    return {"reserved": reservation.quantity}
