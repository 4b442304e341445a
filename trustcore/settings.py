"""What a section of the settings is; each service defines its own, :mod:`trustapp.settings` puts them together."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Section"]


class Section(BaseModel):
    """A frozen table of the settings file. Unknown keys are errors; docstrings under fields are their manual."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
