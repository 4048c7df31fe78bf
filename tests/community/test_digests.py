"""Digests through a real mail server: once a period, whole, and out of it with one click."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select, update

from peerscope.community import Community, CommunityError, NotThereError, digests, notices
from peerscope.community.accounts import create_account
from peerscope.community.digesting import Digesting
from peerscope.community.digests import Heard
from peerscope.community.models import Account, Notice
from peerscope.community.notices import notify
from peerscope.community.talk_models import Digest
from peerscope.community.times import now, utc
from peerscope.record import Database
from peerscope.settings import Settings

WORKS = tuple((f"A work {n} <b>&", f"/works/W{n}") for n in range(12))


class Box:
    """Keeps what it is sent; refuses while ``refusing``."""

    def __init__(self) -> None:
        self.mails, self.raw, self.refusing = [], [], False

    async def handle_DATA(self, server, session, envelope) -> str:
        if self.refusing:
            return "451 try later"
        self.raw.append(envelope.content)
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


@pytest.fixture
def box():
    found = Box()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found.port = free.getsockname()[1]
    controller = Controller(found, hostname="127.0.0.1", port=found.port)
    controller.start()
    yield found
    controller.stop()


@pytest.fixture
def mailing(tmp_path, box):
    """A community that mails through the box, its record, and an account with a daily digest."""
    home = tmp_path / "site"
    settings = Settings(
        home=home, site_name="Test site", base_url="https://research.example.org/", smtp_port=box.port,
        smtp_host="127.0.0.1", smtp_security="none",
    )  # fmt: skip
    community, record = Community(settings), Database(settings.record_url)
    record.migrate()
    with community.writing() as session:
        ada = create_account(session, "Ada Example", email="ada@example.org")
        digests.set_digest(session, ada, "daily")
    yield community, record, ada
    community.close()
    record.close()


def nothing(*_):
    return []


def tell(community, account, **more) -> None:
    with community.writing() as session:
        notify(session, account, "claim.accepted", "person:1", **more)


def a_day_later(community) -> None:
    with community.writing() as session:
        for row in session.scalars(select(Digest)):
            row.told_to = utc(row.told_to) - timedelta(days=1)
            if row.sending_at:
                row.sending_at = utc(row.sending_at) - timedelta(days=1)
        for one in session.scalars(select(Notice)):
            one.created_at = utc(one.created_at) - timedelta(days=1)


def run(community, record, news=nothing, **more):
    return [(one.account_id, one.outcome) for one in digests.run(community, record, news, **more)]


def test_a_mail_a_day_of_what_is_new(mailing, box) -> None:
    community, record, ada = mailing
    tell(community, ada, detail="ORCID")
    assert run(community, record) == [], "not before a day is over"
    a_day_later(community)
    assert run(community, record, dry_run=True) == [(ada, "would send")]
    assert box.mails == []
    assert run(community, record, lambda *_: [Heard("Topic X", "/topics/T1", WORKS)]) == [
        (ada, "sent")
    ]
    assert run(community, record) == []
    ((to, mail),) = box.mails
    assert to == ["ada@example.org"]
    assert mail["Subject"] == "Test site: 1 notice and 12 new works"
    text = mail.get_content()
    assert "Your claim on a person was accepted. ORCID" in text
    assert "https://research.example.org/people/A1" in text
    assert "A work 0 <b>&" in text
    assert "and 2 more" in text
    assert mail.get_content_type() == "text/plain"
    a_day_later(community)
    assert run(community, record) == [(ada, "nothing new")], "what was told is not told again"
    assert len(box.mails) == 1


def test_the_same_news_make_the_same_mail(mailing, box) -> None:
    community, record, ada = mailing
    tell(community, ada)
    with community.reading() as session, record.session() as known:
        made = [
            digests.compose(session, known, ada, now(), nothing, ("Test site", "https://x.example"))
            for _ in range(2)
        ]
    assert made[0] == made[1]


def test_read_and_switched_off_notices_are_not_mailed(mailing, box) -> None:
    community, record, ada = mailing
    tell(community, ada)
    with community.writing() as session:
        notices.set_switches(session, ada, notices.TOPICS, [])
    a_day_later(community)
    assert run(community, record) == [(ada, "nothing new")]
    with community.writing() as session:
        notices.set_switches(session, ada, [], notices.TOPICS)
    tell(community, ada, detail="by mail only")
    a_day_later(community)
    a_day_later(community)
    assert run(community, record) == [(ada, "sent")]
    with community.reading() as session:
        assert notices.notices_of(session, ada) == ([], 0)


def test_one_click_as_mail_programs_do_it(mailing, box) -> None:
    community, record, ada = mailing
    tell(community, ada)
    a_day_later(community)
    run(community, record)
    mail = box.mails[0][1]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # Byte for byte in one piece: an address that is folded or encoded is of no use to a program.
    line = next(one for one in box.raw[0].split(b"\r\n") if one.startswith(b"List-Unsubscribe:"))
    address = line.decode("ascii").partition(": ")[2].strip("<>")
    assert address.startswith("https://research.example.org/unsubscribe/")
    assert address in mail.get_content()
    with community.writing() as session:
        assert digests.unsubscribe(session, address.rpartition("/")[2]) == ada
        with pytest.raises(NotThereError):
            digests.unsubscribe(session, address.rpartition("/")[2][:-1])
    tell(community, ada)
    a_day_later(community)
    assert run(community, record) == []


def test_a_mail_that_is_refused_is_tried_again(mailing, box) -> None:
    community, record, ada = mailing
    tell(community, ada)
    a_day_later(community)
    box.refusing = True
    assert run(community, record) == [(ada, "failed")]
    box.refusing = False
    assert run(community, record) == [(ada, "sent")]
    assert len(box.mails) == 1


def test_who_is_taken_by_one_process_is_left_by_another(mailing, box) -> None:
    community, record, ada = mailing
    tell(community, ada)
    a_day_later(community)
    with community.writing() as session:
        session.execute(update(Digest).values(sending_at=now()))
    assert run(community, record) == []
    with community.writing() as session:
        session.execute(update(Digest).values(sending_at=now() - digests.LEASE))
    assert run(community, record) == [(ada, "sent")], "one that died does not hold it for good"


def test_news_that_came_while_nobody_wanted_them_are_not_told(mailing, box) -> None:
    community, record, ada = mailing
    with community.writing() as session:
        digests.set_digest(session, ada, "never")
    tell(community, ada)
    a_day_later(community)
    with community.writing() as session:
        digests.set_digest(session, ada, "weekly")
    a_day_later(community)
    assert run(community, record) == [], "a week is not over"
    for _ in range(6):
        a_day_later(community)
    assert run(community, record) == [(ada, "nothing new")]


def test_nobody_without_address_or_standing_gets_one(mailing, box, tmp_path) -> None:
    community, record, ada = mailing
    with community.writing() as session:
        bo = create_account(session, "Bo Other")
        with pytest.raises(CommunityError, match="no e-mail address"):
            digests.set_digest(session, bo, "daily")
        with pytest.raises(CommunityError, match="never, daily, weekly"):
            digests.set_digest(session, ada, "hourly")
        session.execute(update(Account).where(Account.id == ada).values(state="suspended"))
    tell(community, ada)
    a_day_later(community)
    assert run(community, record) == []
    bare = Community(Settings(home=tmp_path / "bare"))
    with pytest.raises(CommunityError, match="PEERSCOPE_BASE_URL"):
        run(bare, record)
    bare.close()


def test_the_clock_of_the_site_sends_them(mailing, box) -> None:
    community, record, ada = mailing
    tell(community, ada)
    a_day_later(community)
    clock = Digesting(community, record, nothing, hours=1)
    clock.start()
    for _ in range(100):
        if box.mails:
            break
        clock._ending.wait(0.05)
    clock.stop()
    assert len(box.mails) == 1
    assert clock.once() == 0


KILLED = """
    import os, signal, sys
    from peerscope.community import Community, digests
    from peerscope.record import Database
    from peerscope.settings import Settings
    settings = Settings(home=sys.argv[1], base_url="https://research.example.org", smtp_host="127.0.0.1",
                        smtp_port=int(sys.argv[2]), smtp_security="none")
    community, record = Community(settings), Database(settings.record_url)
    if sys.argv[3] == "after":
        def kill(*_):
            os.kill(os.getpid(), signal.SIGKILL)
        digests._let_go = kill
    else:
        community.mailer.send = lambda mail: os.kill(os.getpid(), signal.SIGKILL)
    list(digests.run(community, record, lambda *_: []))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_at_the_worst_moment(mailing, box, tmp_path, moment) -> None:
    community, record, ada = mailing
    tell(community, ada)
    a_day_later(community)
    source = Path(digests.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "site"), str(box.port), moment],
        env=os.environ | {"PYTHONPATH": str(source)}, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    sent = 1 if moment == "after" else 0
    assert len(box.mails) == sent
    assert run(community, record) == [], "not again while it may still be sending"
    with community.writing() as session:
        session.execute(
            update(Digest).values(sending_at=now() - digests.LEASE - timedelta(seconds=1))
        )
    assert run(community, record) == [(ada, "sent")]
    assert len(box.mails) == sent + 1, "repeated once only where it was killed after sending"
    assert run(community, record) == []
