"""Settings of a site: one folder, one server, a name. Environment variables start with PEERSCOPE_."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
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
        encoder: Sentence encoder in front of the towers: ``auto`` (the installed package, if there is one),
            ``none``, or a folder.
        encoder_at_once: Works that `up` encodes before it publishes; with more of them it publishes without
            the encoder first and encodes in the background.
        retrain_hours: Hours after which a served site trains and publishes again if something is new; 0
            means never.
        digest_hours: Hours after which a served site looks again who is to get a mail of what is new; 0
            means never (``peerscope digest`` can be run by the clock instead).
        dump_hours: Hours after which a served site writes its dumps anew, if something changed; 0 means
            never (``peerscope dump`` can be run by the clock instead).
        dumps_kept: Dumps that are kept; older ones are removed when a new one is written.
        api_rate: How often one network address may ask the API, as ``1200 per minute``; empty means without
            a bound.
        community_url: SQLAlchemy address of accounts and what they write; empty means SQLite inside
            ``home``.
        sign_up: Who may join: ``open`` (anybody with an e-mail address) or ``closed`` (whom an admin sends a
            link).
        adding: Who may add works from the page: ``moderators`` (and admins), or ``members`` (every account
            with a confirmed address).
        people_noindex: Which people's pages ask search engines to leave them out: ``none``, ``unclaimed`` or
            ``all``; besides, an owner may ask for their own.
        mail_from: Sender of the site's mails.
        smtp_host: Mail server; empty means that mails go to the log, for the operator to see.
        smtp_port: Its port.
        smtp_security: ``starttls``, ``tls``, or ``none``.
        smtp_user: Name to sign in to it; empty means without.
        smtp_password: Password to sign in to it.
        orcid_client_id: Of this site at ORCID; empty means no sign-in with ORCID.
        orcid_client_secret: Of this site at ORCID.
        orcid_base: Issuer of the iDs; ORCID's sandbox while trying.
        oidc_issuer: OpenID provider by which people may sign in; empty means none.
        oidc_client_id: Of this site there.
        oidc_client_secret: Of this site there.
        oidc_label: What the button says of it.
        oidc_federation: Domain of the institution whose provider it is: signing in there shows that somebody
            belongs to it. Empty where it shows nothing.
        contact: E-mail address of the operator, told to the services that records are fetched from.
        crossref_api: Where records of DOIs are fetched from; empty means nowhere, here and below.
        datacite_api: Where DOIs are looked for that Crossref does not know.
        arxiv_api: Where arXiv's records are fetched from.
        orcid_api: Where public records of people are fetched from.
        openalex_api: Where OpenAlex's works are fetched from.
        openalex_key: Of this site at OpenAlex, which answers nobody without one.
    """

    model_config = SettingsConfigDict(env_prefix="PEERSCOPE_", extra="ignore")

    home: Path = Field(default=Path("peerscope-site"))
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8321, ge=0, le=65535)
    site_name: str = "Peerscope"
    base_url: str = ""
    index: str = Field(default="auto", pattern="^(auto|exact|ivf)$")
    encoder: str = "auto"
    encoder_at_once: int = Field(default=10_000, ge=0)
    retrain_hours: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    digest_hours: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    dump_hours: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    dumps_kept: int = Field(default=3, ge=1, le=1000)
    api_rate: str = Field(
        default="1200 per minute",
        pattern=r"^([1-9]\d{0,8} per ([1-9]\d{0,5} )?(second|minute|hour|day))?$",
    )
    community_url: str = ""
    sign_up: str = Field(default="open", pattern="^(open|closed)$")
    adding: str = Field(default="moderators", pattern="^(moderators|members)$")
    people_noindex: str = Field(default="none", pattern="^(none|unclaimed|all)$")
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: str = Field(default="starttls", pattern="^(starttls|tls|none)$")
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    orcid_client_id: str = ""
    orcid_client_secret: SecretStr = SecretStr("")
    orcid_base: str = "https://orcid.org"
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_label: str = "your institution"
    oidc_federation: str = Field(default="", pattern=r"^([a-z0-9-]+(\.[a-z0-9-]+)+)?$")

    contact: str = Field(default="", pattern=r"^([!-'*-;=?A-~]+@[A-Za-z0-9.-]+)?$")
    crossref_api: str = "https://api.crossref.org"
    datacite_api: str = "https://api.datacite.org"
    arxiv_api: str = "https://export.arxiv.org"
    orcid_api: str = "https://pub.orcid.org"
    openalex_api: str = "https://api.openalex.org"
    openalex_key: SecretStr = SecretStr("")

    @property
    def record_url(self) -> str:
        """SQLAlchemy address of the record."""
        return self.database_url or f"sqlite:///{self.home / 'record.sqlite'}"

    @property
    def people_url(self) -> str:
        """SQLAlchemy address of accounts and what they write."""
        return self.community_url or f"sqlite:///{self.home / 'community.sqlite'}"

    @property
    def bundles(self) -> Path:
        """Folder of the search bundles."""
        return self.home / "bundles"

    @property
    def maps(self) -> Path:
        """Folder of the maps of the bundles."""
        return self.home / "maps"

    @property
    def encodings(self) -> Path:
        """Folder of kept encodings; it may be removed, and costs the time of encoding again."""
        return self.home / "encodings"

    @property
    def styles(self) -> Path:
        """Folder of the operator's own citation styles (``NAME.csl``); need not be there."""
        return self.home / "styles"

    @property
    def dumps(self) -> Path:
        """Folder of the dumps, one folder each."""
        return self.home / "dumps"

    @property
    def reproductions(self) -> Path:
        """Folder of the attempts on claims."""
        return self.home / "reproductions"

    @property
    def readers(self) -> Path:
        """File of what readers let the site keep; made when the first one switches it on."""
        return self.home / "readers.sqlite"
