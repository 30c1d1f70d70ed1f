"""What all parts of the contract's JSON have in common."""

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """A JSON object without fields that the contract does not name."""

    model_config = ConfigDict(extra="forbid")
