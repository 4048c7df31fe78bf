"""Mails of the site: through any SMTP server, or into the log where there is none."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

from peerscope.settings import Settings

log = logging.getLogger("peerscope.mail")
TIMEOUT = 20.0
UNFOLDED = SMTP.clone(max_line_length=900)
"""Long links stay in one piece: folded, they would be encoded in headers, where programs look for them."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain-text mail to one address, with headers of its own if it has some."""

    to: str
    subject: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Mailer:
    """Sends mails as the settings say."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def sends(self) -> bool:
        """Whether there is a server to send through; else mails go to the log."""
        return bool(self._settings.smtp_host)

    def send(self, mail: Mail) -> bool:
        """Send a mail; whether the server took it. A failure is logged, never raised."""
        if not self.sends:
            log.warning("No mail server is set. To %s: %s\n%s", mail.to, mail.subject, mail.text)
            return True
        try:
            self._deliver(self._message(mail))
        except (OSError, ValueError, smtplib.SMTPException):
            log.exception("A mail could not be sent (%s).", mail.subject)
            return False
        return True

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=UNFOLDED)
        host = urlsplit(self._settings.base_url).hostname or "localhost"
        message["From"] = self._settings.mail_from or f"peerscope@{host}"
        message["To"] = Address(addr_spec=mail.to)  # refuses what is more than one address
        message["Subject"] = " ".join(mail.subject.split())
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=host)
        message["Auto-Submitted"] = "auto-generated"
        for name, value in mail.headers.items():
            message[name] = value
        message.set_content(mail.text)
        return message

    def _deliver(self, message: EmailMessage) -> None:
        settings = self._settings
        host, port = settings.smtp_host, settings.smtp_port
        context = ssl.create_default_context()
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT)
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=context)
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            server.send_message(message)
