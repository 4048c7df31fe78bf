"""Mails through a real SMTP server on loopback: plain, STARTTLS, TLS, with a password; and without one."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import socket
import ssl
from contextlib import contextmanager
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from peerscope.community.mail import Mail, Mailer
from peerscope.settings import Settings

MAIL = Mail("ada@example.org", "Join the site", "Open this link:\n\nhttps://site.example/join/x\n")


class Kept:
    """Takes what comes."""

    def __init__(self) -> None:
        self.came: list[tuple[object, list[str], bool]] = []

    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.came.append(
            (message, envelope.rcpt_tos, server.transport.get_extra_info("ssl_object") is not None)
        )
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for loopback, and the file of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )  # fmt: skip
    return path


@contextmanager
def server(certificate, security: str, password: str = ""):
    """A mail server; what came, and the settings to reach it."""
    kept = Kept()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def right(server, session, envelope, mechanism, data):
        return AuthResult(success=data.login == b"site" and data.password == password.encode())

    options = {"authenticator": right, "auth_required": True} if password else {}
    if security == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    elif password:
        options["auth_require_tls"] = False

    class Running(Controller):
        def factory(self):
            return SMTP(kept, hostname="localhost", **options)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Running(
        kept, hostname="127.0.0.1", port=port, ssl_context=context if security == "tls" else None
    )
    running.start()
    try:
        yield kept, {
            "smtp_host": "127.0.0.1", "smtp_port": running.server.sockets[0].getsockname()[1],
            "smtp_security": security, "base_url": "https://site.example",
            "smtp_user": "site" if password else "", "smtp_password": password,
        }  # fmt: skip
    finally:
        running.stop()


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("password", ["", "a secret"])
def test_a_mail_arrives(certificate, monkeypatch, caplog, security, password) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with server(certificate, security, password) as (kept, settings):
        assert Mailer(Settings(**settings)).send(MAIL), caplog.text
    message, to, encrypted = kept.came[0]
    assert to == ["ada@example.org"] and encrypted == (security != "none")
    assert message["subject"] == MAIL.subject and message["from"] == "peerscope@site.example"
    assert message["auto-submitted"] == "auto-generated" and message["date"]
    assert message.get_content().splitlines() == MAIL.text.splitlines()


def test_a_wrong_password_is_logged_without_it(certificate, monkeypatch, caplog) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with server(certificate, "starttls", "right one") as (kept, settings):
        monkeypatch.setattr("peerscope.community.mail.TIMEOUT", 2.0)
        settings["smtp_password"] = "hunter2 is wrong"
        assert not Mailer(Settings(**settings)).send(MAIL)
    assert not kept.came and "could not be sent" in caplog.text
    assert "hunter2" not in caplog.text and "/join/x" not in caplog.text


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_with_an_unknown_certificate_gets_nothing(certificate, caplog, security) -> None:
    """Whoever stands between reads neither the mail nor the password."""
    with server(certificate, security) as (kept, settings):
        assert not Mailer(Settings(**settings)).send(MAIL)
    assert not kept.came and "certificate" in caplog.text.lower()


def test_a_server_without_encryption_gets_nothing_where_it_is_asked_for(certificate) -> None:
    with server(certificate, "none") as (kept, settings):
        assert not Mailer(Settings(**settings | {"smtp_security": "starttls"})).send(MAIL)
    assert not kept.came


def test_a_server_that_is_down_is_logged(caplog) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    settings = Settings(smtp_host="127.0.0.1", smtp_port=port, smtp_security="none")
    assert not Mailer(settings).send(MAIL)
    assert "could not be sent" in caplog.text and "/join/x" not in caplog.text


@pytest.mark.parametrize(
    "mail",
    [
        Mail("ada@example.org", "Hello\r\nBcc: many@example.org\r\n\r\nBody", "text"),
        Mail("ada@example.org\r\nBcc: many@example.org", "Hello", "text"),
        Mail("ada@example.org, many@example.org", "Hello", "text"),
        Mail(
            "ada@example.org",
            "Hello",
            "text\r\n.\r\nMAIL FROM:<x@example.org>\r\nRCPT TO:<many@example.org>",
        ),
    ],
)
def test_no_header_and_no_recipient_is_smuggled_in(certificate, mail) -> None:
    with server(certificate, "none") as (kept, settings):
        Mailer(Settings(**settings)).send(mail)
    assert len(kept.came) <= 1
    for message, to, _ in kept.came:
        assert to == ["ada@example.org"] and message["bcc"] is None


def test_without_a_server_the_log_has_the_link(caplog) -> None:
    caplog.set_level(logging.WARNING, "peerscope.mail")
    assert Mailer(Settings()).send(MAIL)
    assert "https://site.example/join/x" in caplog.text
