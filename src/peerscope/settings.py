"""Settings of a site: one folder, one server, a name. Environment variables start with PEERSCOPE_."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator may set; everything a site owns lives under ``home``.

    Attributes:
        home: The site's folder; copying it whole is a backup.
        database_url: SQLAlchemy address of the record; empty means SQLite inside ``home``.
        host: Address to listen on.
        port: Port to listen on; 0 lets the system choose.
        site_name: Shown in the header and in page titles.
        base_url: Public address for absolute links; empty means the address of the request.
        index: How vectors are searched: ``exact`` compares all, ``ivf`` looks into groups of near ones,
            ``auto`` decides by their number when a bundle is published.
    """

    model_config = SettingsConfigDict(env_prefix="PEERSCOPE_", extra="ignore")

    home: Path = Field(default=Path("peerscope-site"))
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8321, ge=0, le=65535)
    site_name: str = "Peerscope"
    base_url: str = ""
    index: str = Field(default="auto", pattern="^(auto|exact|ivf)$")

    @property
    def record_url(self) -> str:
        """SQLAlchemy address of the record."""
        return self.database_url or f"sqlite:///{self.home / 'record.sqlite'}"

    @property
    def bundles(self) -> Path:
        """Folder of the search bundles."""
        return self.home / "bundles"
