"""Takes money."""

import logging

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
log = logging.getLogger("payments")


class Charge(BaseModel):
    """What is paid for."""

    item: str
    quantity: int


@app.post("/charges")
def charge(charge: Charge) -> dict[str, int]:
    """A mug is five."""
    log.warning("charged for %d x %s", charge.quantity, charge.item)
    return {"charged": 5 * charge.quantity}
