"""Signing in elsewhere: OpenID Connect with ORCID or one provider that the operator names.

The code flow with state, nonce and PKCE through Authlib. What comes back is an `Identity`, and only after
signature, issuer, audience, times and nonce of its token were checked. Whose account it is, is the business
of `logins`.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OAuthError, OpenIDMixin
from authlib.integrations.httpx_client import OAuth2Client
from joserfc.errors import JoseError

from peerscope.community.accounts import clean_email, clean_name
from peerscope.community.errors import CommunityError, ElsewhereError
from peerscope.community.tokens import same
from peerscope.settings import Settings

log = logging.getLogger(__name__)
# It writes the verifier of each sign-in at DEBUG.
logging.getLogger("authlib.integrations.base_client").setLevel(logging.INFO)

SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""What a token may be signed with: with the provider's own key, never with a shared one or none."""

TIMEOUT = 10.0
KEPT_SECONDS = 3600.0
"""How long a provider's addresses and keys are kept before they are asked for again."""

LEEWAY = 60
"""Seconds by which the clocks of two servers may differ."""

FRESH = 300
"""Seconds since which somebody must have signed in there, where they are asked to show who they are."""

FOREIGN = "This answer does not belong to a sign-in that was begun in this browser. Begin again."
_UNKNOWN = "The answer of {} could not be trusted, so nobody was signed in. Begin again."
_REFUSALS = {
    "access_denied": "You did not agree at {}, so nothing was changed.",
    "login_required": "{} wants you to sign in there first. Begin again.",
    "interaction_required": "{} wants you to sign in there first. Begin again.",
    "temporarily_unavailable": "{} cannot do it at the moment; try again later.",
}
_ORCID = re.compile(r"([0-9]{4}-){3}[0-9]{3}[0-9X]")


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider.

    Attributes:
        key: Its name in addresses: ``orcid`` or ``oidc``.
        label: Its name on pages.
        issuer: As its tokens state it.
        client_id: Of this site there.
        secret: Of this site there.
        scope: What it is asked for.
        federation: Domain that signing in there shows; empty where it shows none.
    """

    key: str
    label: str
    issuer: str
    client_id: str
    secret: str
    scope: str
    federation: str = ""

    @property
    def host(self) -> str:
        """Its host, as proofs name who vouches."""
        return urlsplit(self.issuer).netloc


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as a provider knows them, checked.

    Attributes:
        provider: Key of the provider.
        issuer: Of the provider.
        subject: What they are there, for good.
        name: Empty where the provider does not tell.
        email: Only where the provider says that it was confirmed; else empty.
        orcid: The bare iD, where the provider is ORCID.
    """

    provider: str
    issuer: str
    subject: str
    name: str = ""
    email: str = ""
    orcid: str = ""


def providers(settings: Settings) -> dict[str, Provider]:
    """Key to each provider that the operator set up."""
    found = {}
    if settings.orcid_client_id:
        found["orcid"] = Provider(
            "orcid", "ORCID", settings.orcid_base.rstrip("/"), settings.orcid_client_id,
            settings.orcid_client_secret.get_secret_value(), "openid",
        )  # fmt: skip
    if settings.oidc_issuer and settings.oidc_client_id:
        found["oidc"] = Provider(
            "oidc", settings.oidc_label, settings.oidc_issuer, settings.oidc_client_id,
            settings.oidc_client_secret.get_secret_value(), "openid profile email",
            settings.oidc_federation,
        )  # fmt: skip
    return found


def check_settings(settings: Settings) -> None:
    """Refuse settings by which links and answers would go astray.

    Raises:
        ValueError: Mails or other servers need the site's address and it is not set, or a provider would be
            asked without encryption.
    """
    known = providers(settings)
    if settings.base_url and urlsplit(settings.base_url).scheme not in ("http", "https"):
        raise ValueError("PEERSCOPE_BASE_URL has to begin with https:// (or http://).")
    if not settings.base_url and (settings.smtp_host or known):
        why = "PEERSCOPE_SMTP_HOST" if settings.smtp_host else "sign-in with another site"
        raise ValueError(
            f"With {why} set, PEERSCOPE_BASE_URL has to be set too: links in mails and the way back from "
            "other sites need the public address of this one, as https://discover.example.org."
        )
    for provider in known.values():
        if not _safe(provider.issuer):
            raise ValueError(f"The issuer {provider.issuer!r} has to begin with https://.")


def _safe(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return True
    if parts.scheme != "http" or not parts.hostname:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


def checked_orcid(given: object) -> str:
    """A bare ORCID iD with the right check digit (ISO 7064, mod 11-2).

    Raises:
        CommunityError: It is none.
    """
    value = given.rsplit("/", 1)[-1] if isinstance(given, str) else ""
    total = 0
    for digit in value.replace("-", "")[:-1] if _ORCID.fullmatch(value) else "":
        total = (total + int(digit)) * 2 % 11
    check = (12 - total) % 11
    if not _ORCID.fullmatch(value) or value[-1] != ("X" if check == 10 else str(check)):
        raise CommunityError("What ORCID answered is not an ORCID iD, so nobody was signed in.")
    return value


class _Nowhere:
    """Authlib's place for sessions of a web framework; what is begun here is kept by `tickets`."""

    def __init__(self, name: str, cache: object = None) -> None:
        self.name = name


class _Client(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]
    client_cls = OAuth2Client


class SignInElsewhere:
    """The providers of one site, with what is known of each.

    Args:
        settings: Of the site.
    """

    def __init__(self, settings: Settings) -> None:
        self.providers = providers(settings)
        # Reading the machine's certificates takes longer than a request; once is enough.
        self._certificates = ssl.create_default_context() if self.providers else None
        self._clients: dict[str, tuple[float, _Client]] = {}

    def begin(
        self, provider: Provider, back: str, *, again: bool = False
    ) -> tuple[str, dict[str, str]]:
        """Where to send the browser, and what to keep until it returns.

        Args:
            provider: One of `providers`.
            back: Address of this site that it returns to.
            again: Whether they must sign in there anew, even where they are signed in.

        Raises:
            ElsewhereError: The provider does not answer, or not as one.
        """
        more = {"prompt": "login", "max_age": "0"} if again else {}
        with _explained(provider):
            started = self._client(provider).create_authorization_url(back, **more)
        kept = {name: started[name] for name in ("state", "nonce", "code_verifier")}
        return started["url"], kept | {
            "provider": provider.key, "back": back, "again": "yes" if again else "",
        }  # fmt: skip

    def finish(
        self, provider: Provider, kept: Mapping[str, str], answer: Mapping[str, str]
    ) -> Identity:
        """Who returned.

        Args:
            provider: Whose answer it should be.
            kept: From `begin`, for this browser.
            answer: The parameters that the browser brought.

        Raises:
            CommunityError: The answer does not belong to what was begun, the provider refuses, or its token
                does not hold.
            ElsewhereError: The provider does not answer, or not as one.
        """
        if kept.get("provider") != provider.key or not same(answer.get("state", ""), kept["state"]):
            raise CommunityError(FOREIGN)
        if answer.get("iss", provider.issuer) != provider.issuer:
            raise CommunityError(FOREIGN)
        if "error" in answer or not answer.get("code"):
            raise CommunityError(_refusal(provider, answer.get("error", "")))
        with _explained(provider):
            client = self._client(provider)
            token = client.fetch_access_token(
                redirect_uri=kept["back"], code=answer["code"], state=kept["state"],
                code_verifier=kept["code_verifier"],
            )  # fmt: skip
            claims = client.parse_id_token(
                token, nonce=kept["nonce"], leeway=LEEWAY, claims_options=_expected(provider)
            )
            if claims is None:
                raise ValueError("The answer holds no id_token.")
            claims = dict(claims)
            if provider.key != "orcid" and "email" not in claims:
                claims = self._told(client, token, claims)
        if kept.get("again"):
            _check_fresh(provider, claims)
        return _identity(provider, claims)

    def _told(
        self, client: _Client, token: Mapping[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """Claims with what the provider tells where it is asked: many leave them out of the token."""
        if "userinfo_endpoint" not in client.load_server_metadata():
            return claims
        told = dict(client.userinfo(token=token))
        return told | claims if told.get("sub") == claims["sub"] else claims

    def _client(self, provider: Provider) -> _Client:
        loaded, client = self._clients.get(provider.key, (0.0, None))
        if client is not None and time.monotonic() - loaded < KEPT_SECONDS:
            return client
        client = _Client(
            _Nowhere(provider.key),
            provider.key,
            client_id=provider.client_id,
            client_secret=provider.secret,
            server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": provider.scope, "code_challenge_method": "S256", "timeout": TIMEOUT,
                "follow_redirects": False, "verify": self._certificates,
            },
        )  # fmt: skip
        known = client.load_server_metadata()
        if known.get("issuer") != provider.issuer:
            raise ValueError(f"It says that it is {known.get('issuer')!r:.200}.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not _safe(str(known.get(name, ""))):
                raise ValueError(f"Its {name} is not an https address.")
        stated = known.get("id_token_signing_alg_values_supported")
        known["id_token_signing_alg_values_supported"] = [
            one for one in SIGNATURES if not stated or one in stated
        ]
        known["token_endpoint_auth_method"] = _authentication(known)
        self._clients[provider.key] = (time.monotonic(), client)
        return client


def _authentication(known: Mapping[str, Any]) -> str:
    offered = known.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"


def _expected(provider: Provider) -> dict[str, dict[str, object]]:
    return {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }


class _explained:
    """Turns what goes wrong between two servers into sentences; what it was is logged."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        label = self.provider.label[:1].upper() + self.provider.label[1:]
        if error is None or isinstance(error, CommunityError):
            return
        if isinstance(error, OAuthError):
            log.warning("%s refused: %.200s", self.provider.issuer, error.error)
            raise CommunityError(_refusal(self.provider, str(error.error))) from error
        if isinstance(error, JoseError):
            log.warning("A token of %s does not hold: %s", self.provider.issuer, error)
            raise CommunityError(_UNKNOWN.format(label)) from error
        if isinstance(error, httpx2.HTTPError):
            log.warning("%s does not answer: %.200s", self.provider.issuer, error)
            raise ElsewhereError(
                f"{label} does not answer at the moment. Try again later, or sign in in another way."
            ) from error
        if isinstance(error, (ValueError, TypeError, KeyError, AttributeError, RuntimeError)):
            log.warning("%s does not answer as a provider: %r", self.provider.issuer, error)
            raise ElsewhereError(
                f"{label} did not answer as it should, so nobody was signed in. Try again later, or sign in "
                "in another way."
            ) from error


def _refusal(provider: Provider, code: str) -> str:
    sentence = _REFUSALS.get(code)
    if sentence is None:
        shown = f" ({code})" if re.fullmatch(r"[a-z_]{1,40}", code) else ""
        sentence = "{} did not confirm who you are" + shown + ". Begin again."
    said = sentence.format(provider.label)
    return said[:1].upper() + said[1:]


def _check_fresh(provider: Provider, claims: Mapping[str, Any]) -> None:
    when = claims.get("auth_time")
    if not isinstance(when, (int, float)) or not -LEEWAY < time.time() - when < FRESH:
        raise CommunityError(
            f"{provider.label} did not say that you signed in there just now, so it cannot be used for this. "
            "Choose another way."
        )


def _identity(provider: Provider, claims: Mapping[str, Any]) -> Identity:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise CommunityError(_UNKNOWN.format(provider.label))
    return Identity(
        provider.key,
        provider.issuer,
        checked_orcid(subject) if provider.key == "orcid" else subject,
        _name(claims),
        _email(claims) if provider.key != "orcid" else "",
        checked_orcid(subject) if provider.key == "orcid" else "",
    )


def _name(claims: Mapping[str, Any]) -> str:
    parts = (claims.get("given_name"), claims.get("family_name"))
    whole = claims.get("name") or " ".join(part for part in parts if isinstance(part, str))
    try:
        return clean_name(whole) if isinstance(whole, str) else ""
    except CommunityError:
        return ""


def _email(claims: Mapping[str, Any]) -> str:
    given = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(given, str):
        return ""
    try:
        return clean_email(given)
    except CommunityError:
        return ""
