"""Pages of follows, libraries, collections, reactions and reviews, and what others try with them."""

from __future__ import annotations

import json
import re
import secrets
from datetime import timedelta

import pytest
from lxml import html
from sqlalchemy import select, update

from peerscope.community import (
    collection_works,
    collections,
    reactions,
    reviews,
)
from peerscope.community.claiming_models import PersonSetting
from peerscope.community.meeting_models import Collection, Follow, Reaction, Review, SavedWork
from peerscope.community.models import Account, Report
from peerscope.community.proofs import add_proof
from peerscope.community.times import now
from peerscope.record import count_statements

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7*7 }} \u202e"
OURS = r"\b(FROM|JOIN) (vote|follow|saved_work|collection)\b"
REVIEW = {
    "summary": "It shows where the two temperatures enter the gradient.",
    "confidence": "4",
    "relation": "none",
}


@pytest.fixture
def work(numbers) -> str:
    return f"W{numbers['work:Dual Temperature Helps Contras']}"


@pytest.fixture
def other(numbers) -> str:
    return f"W{numbers['work:Group Normalization']}"


def tree(response):
    return html.fromstring(response.text)


def text_of(client, address: str) -> str:
    return " ".join(tree(client.get(address)).text_content().split())


def collection_of(society, client, **fields) -> str:
    done = society.post(
        client, "/collections", **{"title": "A list", "visibility": "private", **fields}
    )
    assert done.status_code == 303, done.text
    return done.headers["location"].rpartition("/")[2]


def test_a_work_s_page_offers_what_one_can_do(society, work) -> None:
    anybody, ada = society.browser(), society.member("Ada Example")
    page = text_of(anybody, f"/works/{work}")
    assert "What to do with this work" in page and "none yet" in page
    link = tree(anybody.get(f"/works/{work}?authors=1")).xpath("//section[@class='acts']//a/@href")
    assert f"/sign-in?next=/works/{work}%3Fauthors%3D1" in link
    assert not tree(anybody.get(f"/works/{work}")).xpath("//section[@class='acts']//form")
    place = f"/works/{work}"
    assert society.post(ada, "/saves", place, work=work, back=place).headers["location"] == place
    assert "In your library" in text_of(ada, place)
    for vote, likes in (("like", 1), ("like", 1), ("dislike", 0), ("none", 0), ("like", 1)):
        done = society.post(ada, f"{place}/vote", place, vote=vote, back=place)
        assert done.headers["location"] == place
        shown = tree(ada.get(place)).xpath("//button[@value='none' or @value='like'][@name='vote']")
        assert shown[0].text_content().split() == ["Like", str(likes)]
    assert tree(ada.get(place)).xpath("//button[@name='vote'][@aria-pressed='true'][@value='none']")
    society.post(ada, f"{place}/vote", place, vote="none")
    society.post(ada, "/saves/remove", place, work=work)
    assert "In your library" not in text_of(ada, place)


def test_pages_of_the_record_keep_their_budgets(site, society, numbers, work) -> None:
    _, database, _ = site
    ada = society.member("Ada Example")
    pages = {
        f"/works/{work}": (1, 3),
        f"/people/A{numbers['person:Kang Zhang']}": (1, 1),
        f"/topics/T{numbers['topic:Contrastive learning']}": (1, 1),
        "/search?q=contrastive": (1, 3),
    }
    for address, (plain, own) in pages.items():
        for client, most in ((society.browser(), plain), (ada, own)):
            client.get(address)
            with (
                count_statements(society.community.database.engine) as seen,
                count_statements(database.engine) as asked,
            ):
                response = client.get(address)
            here = [one for one in seen.statements if re.search(OURS, one)]
            assert len(here) <= most, (address, here)
            assert asked.count <= 12, address
            assert len(response.content) < 60_000, address


def test_a_library_is_filtered_searched_and_taken_along(society, work, other) -> None:
    ada = society.member("Ada Example")
    assert "Nothing saved yet" in text_of(ada, "/saves")
    for one in (work, other):
        society.post(ada, "/saves", work=one)
    society.post(
        ada,
        "/saves/change",
        work=other,
        state="reading",
        note="Compare with\nours",
        tags="Norms, x",
    )
    titles = "//article[@class='work']/h2"
    assert len(tree(ada.get("/saves")).xpath(titles)) == 2
    for address in ("/saves?state=reading", "/saves?tag=norms", "/saves?q=compare+ours"):
        (found,) = tree(ada.get(address)).xpath(titles)
        assert found.text_content() == "Group Normalization", address
    first = tree(ada.get("/saves?q=normalizing+over+groups+of+channels")).xpath(titles)[0]
    assert first.text_content() == "Group Normalization"
    assert "in your note or tags" in text_of(ada, "/saves?q=norms")
    assert "Nothing found" in text_of(ada, "/saves?state=read")
    for sort in ("title", "newest", "oldest", "changed", "evil"):
        assert len(tree(ada.get(f"/saves?sort={sort}")).xpath(titles)) == 2
    bib = ada.get("/saves/export.bib")
    assert bib.text.count("@") >= 2 and "Group {Normalization}" in bib.text
    assert "attachment" in bib.headers["content-disposition"]
    assert len(json.loads(ada.get("/saves/export.csl.json").text)) == 2
    assert ada.get("/saves/export.ris").text.count("TY  -") == 2
    assert ada.get("/saves/export.exe").status_code == 404
    stranger = society.member("Bo Other")
    assert "Group {Normalization}" not in stranger.get("/saves/export.bib").text
    assert society.post(stranger, "/saves/change", work=other, note="x").status_code == 404


def test_the_save_button_of_a_list_is_the_account_s(society, other) -> None:
    """Beside the history of readers without an account: whoever is signed in saves to the account."""
    ada = society.member("Ada Example")
    society.post(ada, "/history/on", on="yes")
    page = ada.get("/search?q=group+normalization")
    assert 'action="/saves"' in page.text
    assert tree(page).xpath(f"//button[@form='act'][@value='{other}']")
    assert not tree(page).xpath("//button[@form='own']")
    assert "?from=group" in page.text, "results opened are still kept in the history"
    done = society.post(ada, "/saves", work=other, back="/search?q=group+normalization")
    assert done.headers["location"] == f"/search?q=group+normalization#{other}"
    reader = society.browser()
    reader.post("/history/on", data={"on": "yes"})
    assert tree(reader.get("/search?q=group+normalization")).xpath("//button[@form='own']")


def test_following_and_its_page(society, numbers, work) -> None:
    ada, bo = society.member("Ada Example"), society.member("Bo Other")
    person = f"A{numbers['person:Kang Zhang']}"
    place = f"/people/{person}"
    before = int(re.search(r"(\d+) follower", text_of(ada, place))[1])
    society.post(ada, "/following", place, target=person, back=place)
    society.post(bo, "/following", place, target=person, visible="yes", back=place)
    page = text_of(society.browser(), place)
    assert f"{before + 2} followers; those who show it: Bo Other" in page
    assert "Ada Example" not in page
    society.post(ada, "/following", target="/search?q=group+normalization&page=3&personal=off")
    with society.community.reading() as session:
        targets = session.scalars(select(Follow.target).where(Follow.account_id == ada.account_id))
        assert set(targets) == {person, "/search?q=group+normalization"}
        (theirs,) = session.scalars(select(Follow.id).where(Follow.account_id == bo.account_id))
        session.execute(update(Follow).values(seen_seq=0))
    with society.community.writing() as session:
        session.execute(
            update(Follow).where(Follow.account_id == ada.account_id).values(seen_seq=0)
        )
    page = text_of(ada, "/following")
    assert "Kang Zhang" in page and "“group normalization”" in page and "Changed" in page
    links = tree(ada.get("/following")).xpath("//a[starts-with(@href, '/changes/')]/@href")
    assert len(links) == 2
    for link in links:
        assert "Nothing." not in text_of(society.browser(), link)
    form = tree(ada.get("/following")).xpath("//form[@action='/following/seen']")[0]
    fields = {one.get("name"): one.get("value") for one in form.xpath(".//input")}
    assert ada.post("/following/seen", data=fields, follow_redirects=False).status_code == 303
    assert text_of(ada, "/following").count("Nothing new since") == 2
    society.post(ada, "/following/seen", seq="999999999999", at=fields["at"], follow=str(theirs))
    society.post(ada, "/following/remove", target=person)
    with society.community.reading() as session:
        assert session.get(Follow, theirs).seen_seq < 999_999_999
        assert session.scalar(select(Follow.target).where(Follow.account_id == bo.account_id))
    for wrong in ("A999999999", "T0", "W1", "/search?q=", "javascript:1", "C999999", "/me"):
        assert society.post(ada, "/following", target=wrong).status_code in (400, 404), wrong
    for wrong in ({"seq": "x", "at": fields["at"]}, {"seq": "1", "at": "x"}, {"seq": "-1"}):
        assert society.post(ada, "/following/seen", **wrong).status_code == 400


@pytest.mark.parametrize(
    ("name", "status"),
    [("T0", 400), ("T999999999", 404), ("W1", 400), ("C1", 404), ("x", 400), ("search?q=x", 200),
     ("search?since=x", 400), ("search?since=" + "9" * 16, 400)],
)  # fmt: skip
def test_addresses_of_changes(society, name, status) -> None:
    assert society.browser().get(f"/changes/{name}").status_code == status


def test_who_is_hidden_is_not_shown_to_followers(society, numbers) -> None:
    ada = society.member("Ada Example")
    number = numbers["person:Agus Gunawan"]
    society.post(ada, "/following", target=f"A{number}")
    assert "Agus Gunawan" in text_of(ada, "/following")
    with society.community.writing() as session:
        session.add(PersonSetting(person_id=number, hidden=True, noindex=False, changed_at=now()))
    society.community.kept.forget()
    try:
        page = text_of(ada, "/following")
        assert "Agus Gunawan" not in page
        assert "not open to you" in page
        assert ada.get(f"/changes/A{number}?since=0").status_code == 404
        assert society.post(ada, "/following", target=f"A{number}").status_code == 404
    finally:
        with society.community.writing() as session:
            session.delete(session.get(PersonSetting, number))
        society.community.kept.forget()
    assert "Agus Gunawan" in text_of(ada, "/following")


def test_a_collection_from_making_to_leaving(society, work, other) -> None:
    ada, bo, cy = (society.member(name) for name in ("Ada Example", "Bo Other", "Cy Third"))
    name = collection_of(
        society, ada, title="Reading group", description="Few\nnegatives", work=work
    )
    place = f"/collections/{name}"
    society.post(ada, "/collections/add", work=other, collection=name)
    society.post(ada, f"{place}/note", work=other, note="Start here", tags="start")
    fields = {"token": society.token(ada), "work": other, "place": "1"}
    assert ada.post(f"{place}/move", data=fields, follow_redirects=False).status_code == 303
    for stranger in (bo, society.browser()):
        assert stranger.get(place).status_code == 404
        assert stranger.get(f"{place}.json").status_code == 404
        assert stranger.get(f"{place}/history").status_code == 404
    society.post(ada, f"{place}/invite", who=f"u{bo.account_id}", role="editor")
    assert bo.get(place).status_code == 404, "invited is not yet in"
    assert "Reading group" in text_of(bo, "/collections")
    managing = text_of(ada, f"{place}/manage")
    assert "once the invitation is accepted" in managing and "Bo Other" not in managing
    assert society.post(bo, f"{place}/answer", answer="accept").headers["location"] == place
    assert "Bo Other" in text_of(ada, f"{place}/manage")
    society.post(bo, f"{place}/note", work=work, note="And then this", tags="")
    page = tree(bo.get(place))
    assert page.xpath("//article[@class='work']/h3")[0].text_content() == "Group Normalization"
    assert "Start here" in page.text_content() and "And then this" in page.text_content()
    assert "Group Normalization" in text_of(bo, f"{place}?tag=start")
    assert "wrote a note on" in text_of(bo, f"{place}/history")
    told = json.loads(bo.get(f"{place}.json").text)
    assert [one["work"] for one in told["works"]] == [other, work]
    assert told["works"][1]["notes"] == [{"by": "Bo Other", "note": "And then this"}]
    assert bo.get(f"{place}.bib").text.index("Normalization") < bo.get(f"{place}.bib").text.index(
        "Dual"
    )
    assert (
        bo.get(f"{place}.csl.json").status_code == 200 and bo.get(f"{place}.ris").status_code == 200
    )
    society.post(
        ada, f"{place}/manage", title="Reading group", description="", visibility="unlisted"
    )
    key = re.search(r"\?key=([\w-]{20,})", ada.get(place).text)[1]
    assert cy.get(place).status_code == 404
    assert cy.get(f"{place}?key={key}").status_code == 200
    shown = cy.get(f"{place}?key={key}").text
    assert 'content="noindex"' in shown and 'name="referrer" content="same-origin"' in shown
    for link in tree(cy.get(f"{place}?key={key}")).xpath("//a/@href"):
        if link.startswith(place):
            assert cy.get(link).status_code == 200, link
    assert society.post(cy, "/following", target=name).status_code == 404
    assert society.post(cy, "/following", target=name, key=key).status_code == 303
    copy = society.post(cy, f"{place}/fork", title="My copy", key=key).headers["location"]
    assert "Start here" not in text_of(cy, copy) and "Group Normalization" in text_of(cy, copy)
    society.post(bo, f"{place}/leave")
    assert bo.get(place).status_code == 404
    assert society.post(ada, f"{place}/erase").status_code == 400
    assert society.post(ada, f"{place}/erase", sure="yes").status_code == 303
    assert ada.get(place).status_code == 404
    assert cy.get(copy).status_code == 200


def test_reviews_and_replies_on_their_pages(society, numbers) -> None:
    ada, bo, author = (society.member(name) for name in ("Ada Example", "Bo Other", "Dee Author"))
    work = f"W{numbers['work:Understanding and Improving Gr']}"
    with society.community.writing() as session:
        session.get(Account, author.account_id).person_id = numbers["person:Kang Zhang"]
    place = f"/works/{work}/reviews"
    try:
        bad = society.post(
            ada, place, **{**REVIEW, "summary": "short", "questions": "Kept as typed?"}
        )
        assert bad.status_code == 400
        assert "Kept as typed?" in bad.text and "has 30 to 4,000 characters" in bad.text
        done = society.post(ada, place, **REVIEW)
        review = done.headers["location"]
        assert re.fullmatch(r"/reviews/\d+", review)
        society.post(ada, place, **REVIEW, questions="Why two?")
        assert "Why two?" in text_of(bo, review)
        assert "Why two?" not in text_of(bo, f"{review}?version=1")
        for wrong in ("0", "99", "x", "-1", "9" * 30):
            assert bo.get(f"{review}?version={wrong}").status_code == 404
        answer = society.post(author, f"{review}/replies", text="We tried one.\nIt was worse.")
        assert "#reply-" in answer.headers["location"]
        page = text_of(bo, review)
        assert "Dee Author by an author" in page and "We tried one." in page
        own = society.post(author, place, **REVIEW).headers["location"]
        assert "Dee Author L1 by an author" in text_of(bo, place)
        assert "2 reviews (1 by authors)" in text_of(bo, f"/works/{work}")
        assert society.post(bo, f"{review}/replies", text="").status_code == 400
        for stranger in (bo, author):
            assert society.post(stranger, f"{review}/withdraw", sure="yes").status_code == 404
        reply = re.search(r"reply-(\d+)", answer.headers["location"])[1]
        assert society.post(bo, f"/replies/{reply}/remove").status_code == 404
        assert society.post(ada, f"{review}/withdraw").status_code == 400
        society.post(ada, f"{review}/withdraw", sure="yes")
        left = text_of(bo, review)
        assert "This review was withdrawn" in left and "Ada Example" not in left
        assert "temperatures enter" not in left and "We tried one." in left
        assert society.post(author, f"/replies/{reply}/remove").headers["location"] == "/"
        assert bo.get(review).status_code == 404
        moderator = society.member("Cy Moderator", role="moderator")
        assert society.post(moderator, f"{own}/withdraw", sure="yes").status_code == 303
        assert bo.get(own).status_code == 404
    finally:
        with society.community.writing() as session:
            session.get(Account, author.account_id).person_id = None


def test_reactions_with_their_evidence(society, work) -> None:
    ada, bo = society.member("Ada Example"), society.member("Bo Other")
    place = f"/works/{work}/reactions"
    bad = society.post(ada, place, kind="clear", evidence="short", link="https://example.org/kept")
    assert bad.status_code == 400
    assert "https://example.org/kept" in bad.text
    assert society.post(
        ada, place, kind="clear", evidence="The section on gradients.", link="https://example.org/x?a=1&b"
    ).status_code == 303  # fmt: skip
    link = tree(bo.get(place)).xpath("//ul[@class='log']//a[starts-with(@href, 'https')]")[0]
    assert link.get("href") == "https://example.org/x?a=1&b"
    assert {"nofollow", "ugc"} <= set(link.get("rel").split())
    assert "The section on gradients." in text_of(bo, f"{place}?kind=clear")
    assert "The section on gradients." not in text_of(bo, f"{place}?kind=reproduced")
    assert bo.get(f"{place}?kind=evil").status_code == 200
    with society.community.reading() as session:
        number = session.scalar(select(Reaction.id).where(Reaction.account_id == ada.account_id))
    assert society.post(bo, f"/reactions/{number}/remove").status_code == 404
    assert society.post(ada, f"/reactions/{number}/remove").headers["location"] == place


def test_reports_reach_the_moderators_and_nobody_else(society, work) -> None:
    ada, bo = society.member("Ada Example"), society.member("Bo Other")
    review = society.post(ada, f"/works/{work}/reviews", **REVIEW).headers["location"]
    target = f"review:{review.rpartition('/')[2]}"
    assert "What is the matter" in text_of(bo, f"/report?target={target}")
    done = society.post(
        bo, "/report", target=target, reason="other", text="It is about another work."
    )
    assert done.headers["location"] == review
    with society.community.reading() as session:
        row = session.scalars(select(Report).order_by(Report.id.desc())).first()
        assert (row.target, row.account_id, row.text) == (
            target, bo.account_id, "It is about another work.",
        )  # fmt: skip
    secret = collection_of(society, ada)
    for wrong in (
        f"collection:{secret[1:]}",
        "review:999999",
        "reply:1x",
        "account:1",
        "",
        "reaction:99999",
    ):
        society.community.rates.clear()
        assert bo.get(f"/report?target={wrong}").status_code == 404, wrong
        assert (
            society.post(bo, "/report", target=wrong, reason="other", text="x").status_code == 404
        )


def test_text_of_people_stays_text_everywhere(society, work) -> None:
    ada = society.member("Ada Example")
    with society.community.writing() as session:
        session.get(Account, ada.account_id).name = HOSTILE[:60]
    name = collection_of(
        society, ada, title=HOSTILE, description=HOSTILE, work=work, visibility="public"
    )
    society.post(ada, f"/collections/{name}/note", work=work, note=HOSTILE, tags=HOSTILE[:40])
    society.post(ada, "/saves", work=work)
    society.post(ada, "/saves/change", work=work, note=HOSTILE, tags=HOSTILE[:40])
    society.post(ada, f"/works/{work}/reactions", kind="clear", evidence=HOSTILE,
                 link='https://example.org/"onmouseover="alert(1)')  # fmt: skip
    parts = dict.fromkeys(("strengths", "weaknesses", "questions", "reproducibility"), HOSTILE)
    done = society.post(ada, f"/works/{work}/reviews", **{**REVIEW, **parts, "summary": HOSTILE})
    review = done.headers["location"]
    society.post(ada, f"{review}/replies", text=HOSTILE)
    society.post(ada, "/following", target="/search?q=%3Cscript%3Ealert(1)%3C/script%3E")
    society.post(ada, "/following", target=name, visible="yes")
    society.post(ada, f"/works/{work}/reviews", **{**REVIEW, "summary": "x", "questions": HOSTILE})
    pages = ["/collections", f"/collections/{name}", f"/collections/{name}/history",
             f"/collections/{name}/manage", "/saves", "/saves?q=%3Cscript%3E", "/following", review,
             f"/works/{work}", f"/works/{work}/reviews", f"/works/{work}/reactions",
             f"/report?target=collection:{name[1:]}", f"/collections/{name}?tag=%3Cscript%3E"]  # fmt: skip
    seen = 0
    for address in pages:
        response = ada.get(address)
        assert response.status_code == 200, address
        page = tree(response)
        assert not page.xpath("//script[not(@type='application/ld+json')]|//img"), address
        assert not page.xpath("//@*[starts-with(name(), 'on')]"), address
        assert "\u202e" not in response.text, address
        assert "49" not in {part for part in page.text_content().split() if part == "49"}, address
        seen += "<script>alert(1)" in page.text_content()
    assert seen >= 8, "the text is there, as text"
    society.post(ada, f"/collections/{name}/erase", sure="yes")
    society.post(ada, f"{review}/withdraw", sure="yes")


def test_forms_give_no_more_than_they_ask_for(society, work) -> None:
    """Mass assignment: fields of the tables in a form change nothing."""
    ada, bo = society.member("Ada Example"), society.member("Bo Other")
    extra = {
        "account_id": str(bo.account_id), "owner_id": str(bo.account_id), "id": "4242", "key": "x",
        "created_at": "1999-01-01", "person_id": "1", "role": "admin", "number": "77",
    }  # fmt: skip
    name = collection_of(society, ada, **extra)
    society.post(ada, "/saves", work=work, **extra)
    society.post(
        ada, f"/works/{work}/reactions", kind="clear", evidence="The section on it.", **extra
    )
    society.post(ada, f"/works/{work}/reviews", **REVIEW, **extra)
    with society.community.reading() as session:
        row = session.get(Collection, int(name[1:]))
        assert (row.owner_id, row.key != "x", row.created_at.year) == (
            ada.account_id,
            True,
            row.changed_at.year,
        )
        for table in (SavedWork, Reaction, Review):
            own = session.scalars(select(table).where(table.account_id == ada.account_id)).one()
            assert own.id != 4242
            assert not session.scalars(select(table).where(table.account_id == bo.account_id)).all()
        assert session.get(Account, ada.account_id).role == "member"


CLOSED = ["/saves", "/saves/export.bib", "/following", "/report?target=review:1"]
WRITES = [
    "/saves", "/saves/change", "/saves/remove", "/following", "/following/remove", "/following/seen",
    "/collections", "/collections/add", "/collections/C1/manage", "/collections/C1/erase",
    "/collections/C1/fork", "/collections/C1/remove", "/collections/C1/move", "/collections/C1/note",
    "/collections/C1/invite", "/collections/C1/dismiss", "/collections/C1/answer",
    "/collections/C1/leave", "/works/W1/vote", "/works/W1/reactions", "/reactions/1/remove",
    "/works/W1/reviews", "/reviews/1/replies", "/reviews/1/withdraw", "/replies/1/remove", "/report",
]  # fmt: skip


def test_every_write_asks_for_an_account_and_its_own_token(society) -> None:
    anybody, ada, bo = society.browser(), society.member("Ada Example"), society.member("Bo Other")
    token = society.token(ada)
    for address in CLOSED:
        done = anybody.get(address, follow_redirects=False)
        assert done.headers["location"].startswith("/sign-in?next="), address
    for address in WRITES:
        society.community.rates.clear()
        done = anybody.post(address, data={"token": token}, follow_redirects=False)
        assert done.headers["location"].startswith("/sign-in"), address
        for wrong in ("", "x", token):
            done = bo.post(address, data={"token": wrong}, follow_redirects=False)
            assert done.status_code == 403, address
        foreign = {"sec-fetch-site": "cross-site", "origin": "https://example.org"}
        done = ada.post(address, data={"token": token}, headers=foreign, follow_redirects=False)
        assert done.status_code == 403, address
        done = ada.post(address, data={"token": token}, follow_redirects=False)
        assert done.status_code in (303, 400, 403, 404, 429), (address, done.status_code)


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "x", "1;drop", "1%00", "²"])
def test_numbers_of_nothing_are_not_found(society, number) -> None:
    ada = society.member("Ada Example")
    for address in (f"/works/W{number}/reviews", f"/works/W{number}/reactions", f"/reviews/{number}",
                    f"/collections/C{number}", f"/collections/C{number}/manage",
                    f"/collections/C{number}/history"):  # fmt: skip
        assert ada.get(address).status_code == 404, address
    for address, fields in (
        (f"/works/W{number}/vote", {"vote": "like"}),
        (f"/reactions/{number}/remove", {}),
        (f"/collections/C{number}/add", {}),
        ("/saves", {"work": f"W{number}"}),
        ("/saves/change", {"work": f"W{number}"}),
        ("/collections/add", {"work": "W1", "collection": f"C{number}"}),
        (f"/reviews/{number}/withdraw", {"sure": "yes"}),
    ):
        assert society.post(ada, address, **fields).status_code in (404, 405), address


def test_forms_lead_nowhere_else(society, work) -> None:
    """Open redirects: whatever the form says, the answer stays on this site."""
    ada = society.member("Ada Example")
    for back in ("https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)"):
        for address, fields in (
            ("/saves", {"work": work}),
            (f"/works/{work}/vote", {"vote": "none"}),
            ("/following/remove", {"target": "A1"}),
        ):
            done = society.post(ada, address, back=back, **fields)
            assert re.match(r"/[a-z]", done.headers["location"]), (address, back)


def test_how_often_one_may_write(society, work, numbers) -> None:
    ada = society.member("Ada Example")
    some = [f"W{n}" for name, n in sorted(numbers.items()) if name.startswith("work:Study ")][:11]
    answers = [society.post(ada, f"/works/{one}/reviews", **REVIEW).status_code for one in some[:4]]
    assert answers == [303] * 3 + [429], "an account's first day"
    with society.community.writing() as session:
        account = session.get(Account, ada.account_id)
        account.created_at = account.created_at - timedelta(days=2)
    answers = [society.post(ada, f"/works/{one}/reviews", **REVIEW).status_code for one in some]
    assert answers == [400] * 3 + [303] * 7 + [429], "three are there unchanged"
    society.community.rates.clear()
    made = [
        society.post(ada, "/collections", title=secrets.token_hex(4)).status_code for _ in range(31)
    ]
    assert made == [303] * 30 + [429]
    society.community.rates.clear()
    rate = society.community.rates
    for _ in range(100):
        rate.spend("reaction", ada.account_id)
    done = society.post(ada, f"/works/{work}/reactions", kind="clear", evidence="Once too often.")
    assert done.status_code == 429 and int(done.headers["retry-after"]) > 0


def test_a_work_that_is_gone_takes_nothing(site, society, numbers) -> None:
    from peerscope.record import delete_works, restore_works

    _, database, _ = site
    number = numbers["work:عنوان العمل"]
    ada = society.member("Ada Example")
    society.post(ada, "/saves", work=f"W{number}")
    name = collection_of(society, ada, work=f"W{number}")
    review = society.post(ada, f"/works/W{number}/reviews", **REVIEW).headers["location"]
    with database.begin() as session:
        delete_works(session, [number])
    try:
        assert ada.get(f"/works/W{number}/reviews").status_code == 410
        assert society.post(ada, f"/works/W{number}/vote", vote="like").status_code == 410
        assert "not in the record any more" in text_of(ada, "/saves")
        assert "not in this record any more" in text_of(ada, f"/collections/{name}")
        assert "not in this record any more" in text_of(ada, review)
        assert ada.get(f"/collections/{name}.bib").text.strip() == ""
        assert society.post(ada, "/saves/remove", work=f"W{number}").status_code == 303
    finally:
        with database.begin() as session:
            restore_works(session, [number])


def test_pages_stay_where_what_accounts_did_cannot_be_read(society, work, monkeypatch) -> None:
    """What people hide is another matter: where that cannot be read, no page is shown."""
    from sqlalchemy.exc import OperationalError

    def broken(*_, **__):
        raise OperationalError("select", {}, Exception("the disk is gone"))

    monkeypatch.setattr("peerscope.web.meeting.standing_of", broken)
    response = society.browser().get(f"/works/{work}")
    assert response.status_code == 200
    assert "What to do with this work" not in response.text


def test_long_lists_are_paged(society, numbers) -> None:
    ada = society.member("Ada Example")
    works = [n for name, n in sorted(numbers.items()) if name.startswith("work:Study ")]
    with society.community.writing() as session:
        number = collections.make(session, ada.account_id, "A long list")
        for one in works[:60]:
            collection_works.add(session, ada.account_id, number, one)
        for guest in range(30):
            session.add(
                reviewer := Account(
                    name=f"Guest {guest}", role="member", state="active",
                    created_at=session.get(Account, ada.account_id).created_at,
                )
            )  # fmt: skip
            session.flush()
            add_proof(session, reviewer.id, "email")
            reviews.write(session, reviewer.id, works[-1], REVIEW)
            for kind in ("clear", "reproduced"):
                reactions.react(session, reviewer.id, works[-1], kind, "A line of evidence.")
    place = f"/collections/C{number}"
    for page, count in ((1, 25), (2, 25), (3, 10), (4, 0)):
        response = ada.get(f"{place}?page={page}")
        assert len(tree(response).xpath("//article[@class='work']")) == count
        assert len(response.content) < 120_000
    reviewed = f"/works/W{works[-1]}/reviews"
    assert len(tree(ada.get(reviewed)).xpath("//section[@class='review']")) == 25
    assert len(tree(ada.get(f"{reviewed}?page=2")).xpath("//section[@class='review']")) == 5
    listed = f"/works/W{works[-1]}/reactions"
    assert len(tree(ada.get(f"{listed}?page=2")).xpath("//ul[@class='log']/li")) == 20
