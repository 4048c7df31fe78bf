"""From the first visit to the last: one person's way through the site, in Debian's chromium, by forms alone.

Nobody is told how to: every step follows a link or a button that the page before offers.
"""

from __future__ import annotations

import io
import json
import logging
import re
import zipfile

import pytest
from sqlalchemy import select

from peerscope.community.models import Account
from peerscope.record.models import Person

pytestmark = pytest.mark.browser

PASSWORD = "a horse and a battery"


class Walker:
    """Somebody in a browser of their own."""

    def __init__(self, browser, address: str, secret: str = "") -> None:
        self.address = address
        self.context = browser.new_context(accept_downloads=True)
        if secret:
            self.context.add_cookies(
                [{"name": "peerscope-session", "value": secret, "url": address}]
            )
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._said)
        self.page.on("dialog", lambda dialog: self.problems.append(dialog.message))

    def _said(self, message) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def go(self, place: str) -> None:
        self.page.goto(self.address + place)

    def link(self, name, exact: bool = False) -> None:
        self.page.get_by_role("link", name=name, exact=exact).first.click()

    def press(self, name) -> None:
        self.page.get_by_role("button", name=name).first.click()

    def fill(self, label, text: str) -> None:
        self.page.get_by_label(label).first.fill(text)

    def sees(self, text) -> None:
        assert self.page.get_by_text(text).count(), self.page.locator("main").inner_text()[:1500]


@pytest.fixture
def kang(site) -> int:
    living = (Person.display_name == "Kang Zhang", Person.merged_into_id.is_(None))
    with site[1].session() as session:
        return session.scalar(select(Person.id).where(*living).order_by(Person.works_count.desc()))


def test_from_the_first_visit_to_the_last(browser, society, own_address, kang, caplog) -> None:
    caplog.set_level(logging.WARNING, "peerscope.mail")
    moderator = society.member("Moderating Example", role="moderator")
    secret = moderator.cookies["peerscope-session"]
    me, other = Walker(browser, own_address), Walker(browser, own_address, secret)

    # First visit: search, and from a work to its author.
    me.go("/")
    me.page.get_by_role("searchbox").first.fill("dual temperature contrastive learning")
    me.page.keyboard.press("Enter")
    me.link(re.compile("Dual Temperature Helps Contrastive Learning"))
    me.link("Kang Zhang", exact=True)
    me.sees("this person has not joined")

    # Join by the mailed link, and go on where the claim was asked for.
    me.link("Claim this record")
    me.link("join", exact=True)
    me.fill("E-mail address", "kang.journey@example.org")
    me.press("Send the link")
    me.sees("Look at your mail")
    mailed = re.findall(r"/join/[\w-]{20,}", caplog.text)[-1]
    me.go(mailed)
    me.fill("Name, as others see it", "Kang Zhang")
    me.fill("Password", PASSWORD)
    me.press("Make the account")
    me.sees("Level L1")

    # Claim the record; the page says what is missing; a moderator decides.
    me.go(f"/people/A{kang}/claim")
    me.press("Claim this record")
    me.sees("It waits for one of the ways below")
    assert me.page.locator("dl.ways dt").first.is_visible(), "what is said of the ways can be seen"
    other.go(f"/people/A{kang}/claim")
    other.fill("Reason, for all who claim it", "Shown in person with the first page.")
    other.press(re.compile("^Accept"))
    me.go(f"/people/A{kang}")
    me.sees("Claimed by its owner")

    # Two people stand in the record: part them, as suggested.
    me.link("Is this more than one person?")
    me.press("Show what the split changes")
    me.fill("Why", "One of the seven is somebody else's.")
    me.press("Do it")
    me.go(f"/people/A{kang}")
    assert me.page.locator(".tally dd").first.inner_text() == "6"

    # Say who I am, and that I may be asked.
    me.link("write about yourself")
    me.fill("In your own words", "I work on contrastive learning.")
    me.fill("Open to collaborate on", "few negatives")
    me.press("Save")
    me.go(f"/people/A{kang}")
    me.sees("I work on contrastive learning.")

    # Follow a topic, review a work of others.
    me.go("/topics")
    me.page.locator("main").get_by_role(
        "link", name=re.compile("Contrastive learning")
    ).first.click()
    me.press("Follow this topic")
    me.sees("you follow it")
    me.go("/search?q=momentum contrast")
    me.link(re.compile("^Momentum Contrast"))
    work = me.page.url.split("?")[0].rpartition("/")[2]
    me.go(f"/works/{work}/reviews")
    me.fill("Summary", "It keeps a queue of negatives and a slowly moving encoder for the keys.")
    me.page.get_by_label("How sure you are").select_option("4")
    me.page.get_by_label("How you stand to the authors").select_option("none")
    me.press("Publish the review")
    me.sees("It keeps a queue of negatives")

    # An invitation, from somebody who showed an identifier, and the answer to it.
    colleague = society.member("Inviting Example", level=2)
    them = Walker(browser, own_address, colleague.cookies["peerscope-session"])
    them.go(f"/people/A{kang}")
    them.link(re.compile("Invite"))
    them.page.get_by_label("What for").select_option("paper")
    them.fill("What you want to say", "Would you compare two temperatures with us?")
    them.press("Send the invitation")
    me.go("/talk")
    me.sees("Would you compare two temperatures with us?")
    me.press("Accept")
    me.fill("Write", "Gladly.")
    me.press("Send")
    them.go("/talk")
    them.link("Kang Zhang")
    them.sees("Gladly.")

    # Take everything along, and leave.
    with me.page.expect_download() as awaited:
        me.page.evaluate("location.assign('/me/export')")
    held = zipfile.ZipFile(io.BytesIO(awaited.value.path().read_bytes()))
    everything = "".join(held.read(name).decode("utf-8", "replace") for name in held.namelist())
    for said in ("kang.journey@example.org", "It keeps a queue of negatives", "Gladly.",
                 "I work on contrastive learning."):  # fmt: skip
        assert said in everything, said
    assert all(json.loads(held.read(one)) for one in held.namelist() if one.endswith(".json"))
    me.go("/me/delete")
    me.fill("Your name as it stands here", "Kang Zhang")
    me.press("Delete my account")
    me.go(f"/people/A{kang}")
    me.sees("this person has not joined")
    assert not me.page.get_by_text("I work on contrastive learning.").count()
    with society.community.reading() as session:
        email = Account.email == "kang.journey@example.org"
        assert session.scalar(select(Account.id).where(email)) is None
    them.page.reload()
    assert not them.page.get_by_text("Gladly.").count()

    # The split stays, by a number; the moderator takes it back, and all is as it was.
    other.go(f"/people/A{kang}/identity")
    other.press(re.compile("^Undo"))
    other.press("Undo it")
    other.go(f"/people/A{kang}")
    assert other.page.locator(".tally dd").first.inner_text() == "7"
    for walker in (me, them, other):
        assert walker.problems == []
        walker.context.close()
