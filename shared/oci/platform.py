"""The platform of an image: what it runs on."""

from pydantic import BaseModel, ConfigDict


class Platform(BaseModel):
    """os, architecture, variant and os version, in the OCI spec's words; empty where not told.

    Source: OCI image-spec, Image Index (`platform`) and Image Configuration.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
