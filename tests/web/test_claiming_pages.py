"""Claims, proofs, profiles and requests through their pages, and what strangers try with them."""

from __future__ import annotations

import logging
import re

import pytest
from lxml import html
from sqlalchemy import select

from peerscope.community.claiming import owner_of
from peerscope.community.claiming_models import ClaimOnRecord
from peerscope.community.domains import store_domains
from peerscope.community.models import Proof, Report
from peerscope.community.profiles import confirmed_works
from peerscope.community.proofs import add_proof
from peerscope.community.ror import Organisation
from peerscope.record import count_statements

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
KAIST = Organisation("05apxxy63", "Korea Advanced Institute of Science and Technology",
                     ("korea advanced institute of science and technology", "kaist"),
                     ("kaist.ac.kr",), ())  # fmt: skip


@pytest.fixture(autouse=True)
def _mails(caplog) -> None:
    caplog.set_level(logging.WARNING, "peerscope.mail")


@pytest.fixture(autouse=True)
def _clean(society):
    """Each test begins without claims, and with nobody hidden."""
    from sqlalchemy import delete, update

    from peerscope.community.claiming_models import PersonSetting
    from peerscope.community.models import Account

    with society.community.writing() as session:
        session.execute(delete(ClaimOnRecord))
        session.execute(delete(PersonSetting))
        session.execute(delete(Report))
        session.execute(update(Account).values(person_id=None))
        store_domains(session, [KAIST])
    society.community.kept.forget()


@pytest.fixture
def ids(numbers) -> dict[str, int]:
    return {
        "kang": numbers["person:Kang Zhang"],
        "kweon": numbers["person:In So Kweon"],
        "chaoning": numbers["person:Chaoning Zhang"],
        "prolific": numbers["person:Quentin Xavier Prolific"],
    }


def tree(response):
    return html.fromstring(response.text)


def make_owner(society, person: int, name: str = "Own Er", role: str = "member", level: int = 2):
    """A member who owns a record, as a moderator's decision makes one."""
    from peerscope.community.claiming import decide, open_claim

    member, moderator = society.member(name, role, level), society.member("Mo", "moderator")
    site = society.application.state.site
    with society.community.writing() as session, site.database.session() as record:
        claim = open_claim(session, record, member.account_id, person)
        decide(session, record, moderator.account_id, claim.id, True, "They showed documents.")
    return member


def test_from_unclaimed_to_claimed_by_an_address(society, ids, caplog) -> None:
    person = f"/people/A{ids['chaoning']}"
    stranger = society.browser()
    assert "Claim this record" in stranger.get(person).text
    assert "Sign in to claim it" in stranger.get(f"{person}/claim").text
    ada = society.member("Chaoning Zhang")
    asked = society.post(ada, f"{person}/claim", f"{person}/claim", note="It is my record.")
    assert (asked.status_code, asked.headers["location"]) == (303, f"{person}/claim")
    page = ada.get(f"{person}/claim").text
    assert "It waits for one of the ways below" in page
    assert "KAIST" in page and "Decides: a rule, at once" in page
    proofs = society.post(ada, "/me/proofs/domain", "/me/proofs", mail="cz@rcv.kaist.ac.kr")
    assert "is on its way" in proofs.text and "cz@rcv.kaist.ac.kr" in proofs.text
    link = re.findall(r"http://testserver(/me/proofs/domain/[\w-]+)", caplog.text)[-1]
    assert "kaist.ac.kr" in ada.get(link).text
    assert ada.get(link).status_code == 200, "looking at it uses nothing up"
    assert society.post(ada, link, link).status_code == 303
    shown = ada.get("/me/proofs").text
    assert "Your level is L3" in shown and "falls from L3 to L1" in shown
    assert "This record is yours since" in ada.get(f"{person}/claim").text
    public = stranger.get(person).text
    assert "Claimed by its owner (L3)" in public and "has not joined" not in public
    assert "address at kaist.ac.kr" in public and "rcv" not in public
    proof = re.search(r'name="proof" value="(\d+)"', shown)[1]
    assert "rests on it" in ada.get("/me/proofs").text
    society.post(ada, "/me/proofs/revoke", "/me/proofs", proof=proof, why="I left")
    assert "this person has not joined" in stranger.get(person).text
    assert "It waits for one of the ways" in ada.get(f"{person}/claim").text
    assert "I left" in ada.get("/me/proofs").text


def test_a_link_of_another_account_proves_nothing(society, caplog) -> None:
    ada, eve = society.member("Ada Example"), society.member("Eve Other")
    society.post(ada, "/me/proofs/domain", "/me/proofs", mail="ada@kaist.ac.kr")
    link = re.findall(r"http://testserver(/me/proofs/domain/[\w-]+)", caplog.text)[-1]
    assert eve.get(link).status_code == 404
    assert society.post(eve, link).status_code == 404
    assert society.browser().get(link, follow_redirects=False).status_code == 303
    used = society.post(ada, link)
    assert (used.status_code, society.post(ada, link).status_code) == (303, 404)


def test_asking_for_a_mail_answers_the_same_whoever_has_the_address(society) -> None:
    ada, eve = society.member("Ada Example"), society.member("Eve Other")
    with society.community.writing() as session:
        from peerscope.community.domains import _hash

        kept = _hash(session, "taken@kaist.ac.kr")
        add_proof(session, ada.account_id, "domain", value="kaist.ac.kr", value_hash=kept)
    one = society.post(eve, "/me/proofs/domain", "/me/proofs", mail="taken@kaist.ac.kr")
    two = society.post(eve, "/me/proofs/domain", "/me/proofs", mail="other@kaist.ac.kr")
    plain = [re.sub(r'value="[0-9a-f.]+"|\w+@kaist', "", one.text) for one in (one, two)]
    assert plain[0] == plain[1]


def test_mails_to_strangers_are_few(society, caplog) -> None:
    ada = society.member("Ada Example")
    codes = [
        society.post(ada, "/me/proofs/domain", "/me/proofs", mail="victim@kaist.ac.kr").status_code
        for _ in range(5)
    ]
    assert codes == [200, 200, 200, 429, 429]
    assert caplog.text.count("Confirm your address") == 3


def test_another_accounts_proofs_and_vouches_cannot_be_touched(society) -> None:
    ada, eve = society.member("Ada Example", level=3), society.member("Eve Other")
    with society.community.reading() as session:
        numbers = session.scalars(select(Proof.id).where(Proof.account_id == ada.account_id)).all()
    for number in [*numbers, 10**15, "x", "-1", ""]:
        for way in ("revoke", "take-back"):
            assert society.post(eve, f"/me/proofs/{way}", proof=number).status_code == 404
    with society.community.reading() as session:
        left = session.scalars(select(Proof.revoked_at).where(Proof.account_id == ada.account_id))
        assert set(left) == {None}


def test_vouching_by_a_link(society) -> None:
    ada, vera = society.member("Ada Example"), society.member("Vera Verified", level=3)
    made = society.post(ada, "/me/proofs/vouch-link", "/me/proofs").text
    link = re.search(r"http://testserver(/vouch/[\w-]+)", made)[1]
    assert "for themselves" in ada.get(link).text
    assert society.post(ada, link, line="I know me quite well.").status_code == 403
    short = society.post(vera, link, link, line="hm")
    assert short.status_code == 400 and "10 to 300" in short.text
    assert society.post(vera, link, link, line=SCRIPT).status_code == 303
    shown = ada.get("/me/proofs")
    assert "<script>alert" not in shown.text and not tree(shown).xpath("//main//img")
    assert "Vera Verified" in shown.text and "Your level is L4" in shown.text
    assert vera.get(link).status_code == 404
    number = re.search(
        r'name="proof" value="(\d+)"><button class="quiet">', vera.get("/me/proofs").text
    )[1]
    society.post(vera, "/me/proofs/take-back", proof=number)
    assert "Your level is L1" in ada.get("/me/proofs").text


def test_only_moderators_and_admins_judge(society, ids) -> None:
    person = f"/people/A{ids['kang']}"
    bo, eve = society.member("Kang Zhang"), society.member("Eve Other")
    moderator, admin = society.member("Mo", "moderator"), society.member("Ad", "admin")
    society.post(bo, f"{person}/claim", note=SCRIPT)
    with society.community.reading() as session:
        claim = session.scalars(select(ClaimOnRecord)).one()
        assert [row.target for row in session.scalars(select(Report))] == [f"person:{ids['kang']}"]
    fields = {"claim": claim.id, "verdict": "accept", "reason": "They showed documents."}
    for nobody in (bo, eve):
        assert society.post(nobody, f"{person}/claim/decide", **fields).status_code == 403
    for member in (bo, eve, moderator):
        sent = society.post(
            member, f"{person}/claim/attest", claim=claim.id, reason="I saw a card."
        )
        assert sent.status_code == 403
    assert society.browser().post(f"{person}/claim/decide", data=fields).url.path == "/sign-in"
    judged = moderator.get(f"{person}/claim")
    assert "For moderators" in judged.text and "<script>alert" not in judged.text
    assert "For moderators" not in eve.get(f"{person}/claim").text
    assert "alert" not in eve.get(f"{person}/claim").text, "notes are for moderators"
    wrong = society.post(moderator, f"{person}/claim/decide", **fields | {"verdict": "perhaps"})
    assert wrong.status_code == 400
    assert society.post(moderator, f"{person}/claim/decide", **fields).status_code == 303
    society.post(admin, f"{person}/claim/attest", claim=claim.id, reason="I saw a staff card.")
    public = society.browser().get(person).text
    assert "Claimed by its owner (L5)" in public and "by <bdi>Ad</bdi>" in public
    assert "I saw a staff card." in public
    lost = society.post(admin, "/people/A1/claim/attest", claim=claim.id, reason="I saw a card.")
    assert lost.status_code == 404, "the claim is on another record"


def test_a_dispute_through_the_pages(society, ids) -> None:
    person = f"/people/A{ids['kweon']}"
    one, two = society.member("In So Kweon"), society.member("In So Kweon")
    society.post(one, f"{person}/claim")
    society.post(two, f"{person}/claim")
    for member in (one, two):
        assert "A moderator of this site decides between you" in member.get(f"{person}/claim").text
    assert "this person has not joined" in society.browser().get(person).text
    again = society.post(one, f"{person}/claim")
    assert again.status_code == 400 and "an account has one record" in again.text
    other = society.post(one, f"/people/A{ids['kang']}/claim")
    assert other.status_code == 400


def test_only_the_owner_writes_the_profile(society, ids) -> None:
    person = f"/people/A{ids['kang']}"
    owner, eve = make_owner(society, ids["kang"], "Kang Zhang"), society.member("Eve Other")
    for way in ("profile", "confirm"):
        assert eve.get(f"{person}/{way}").status_code == 403
        assert society.post(eve, f"{person}/{way}", bio="x", works="1").status_code == 403
        assert society.browser().get(f"{person}/{way}", follow_redirects=False).status_code == 303
    assert society.post(eve, f"{person}/noindex", noindex="yes").status_code == 403
    other = f"/people/A{ids['kweon']}"
    assert society.post(owner, f"{other}/profile", bio="x").status_code == 403
    sent = society.browser().post(f"{person}/profile", data={"bio": "x"}, follow_redirects=False)
    assert sent.status_code == 303 and "/sign-in" in sent.headers["location"]
    assert owner.post(f"{person}/profile", data={"bio": "x", "token": "y"}).status_code == 403


def test_what_an_owner_says_is_text(society, ids, numbers) -> None:
    person = f"/people/A{ids['kang']}"
    owner = make_owner(society, ids["kang"], "Kang Zhang")
    work = next(n for t, n in numbers.items() if t.startswith("work:Towards Personalized"))
    sent = society.post(
        owner, f"{person}/profile", bio=f"I look at pictures.\n\n{SCRIPT}", available=SCRIPT,
        link0="https://example.org/~kang", link1="", work0=f"W{work}", line0=SCRIPT,
        name="Kang Zhang", noindex="yes", account_id="1", person_id="2",
    )  # fmt: skip
    assert sent.status_code == 303
    public = society.browser().get(person)
    page = tree(public)
    assert "<script>alert" not in public.text and not page.xpath("//main//img")
    link = page.xpath("//a[@href='https://example.org/~kang']")[0]
    assert (link.get("rel"), link.text) == ("nofollow ugc me", "https://example.org/~kang")
    assert "Open to collaborate:" in public.text
    assert page.xpath(f"//section[@aria-labelledby='says']//a[@href='/works/W{work}']")
    assert "X-Robots-Tag" not in public.headers
    refused = society.post(owner, f"{person}/profile", link0="javascript:alert(1)")
    assert refused.status_code == 400 and "http" in tree(refused).xpath("//p[@id='error']")[0].text
    for wrong in ({"name": "Somebody Else"}, {"work0": "W999999", "line0": "x"}, {"bio": "x" * 1001},
                  {"work0": "drop", "line0": "x"}, {"work0": f"W{work}", "line0": ""}):  # fmt: skip
        assert society.post(owner, f"{person}/profile", **wrong).status_code == 400, wrong
    assert "I look at pictures." in society.browser().get(person).text, "nothing was changed"
    society.post(owner, f"{person}/profile", bio="Only this.")
    assert "Open to collaborate" not in society.browser().get(person).text
    society.post(owner, f"{person}/claim/withdraw")
    assert "Only this." not in society.browser().get(person).text


def test_works_are_confirmed_by_their_owner(society, ids, numbers) -> None:
    person = f"/people/A{ids['kang']}"
    owner = make_owner(society, ids["kang"], "Kang Zhang")
    page = owner.get(f"{person}/confirm")
    works = tree(page).xpath("//input[@name='works']/@value")[0].split()
    assert len(works) == 7
    assert (
        society.post(owner, f"{person}/confirm", works=works[0], verdict="mine").status_code == 303
    )
    away = society.post(owner, f"{person}/confirm", works=works[1], verdict="not_mine")
    assert away.headers["location"] == f"{person}/identity"
    strange = numbers["work:Bounds of O(n²) and more"]
    for wrong in (str(strange), f"{works[2]} {strange}", "", "x", "9" * 40):
        assert (
            society.post(owner, f"{person}/confirm", works=wrong, verdict="mine").status_code == 404
        )
    assert society.post(owner, f"{person}/confirm", works=works[2], verdict="?").status_code == 400
    with society.community.reading() as session:
        assert set(confirmed_works(session, ids["kang"])) == {int(works[0])}
    society.post(owner, f"{person}/confirm", works=works[0], verdict="undo")
    with society.community.reading() as session:
        assert confirmed_works(session, ids["kang"]) == {}


def test_robots_are_asked_by_owner_and_site(society, ids, site) -> None:
    person = f"/people/A{ids['kang']}"
    owner = make_owner(society, ids["kang"], "Kang Zhang")
    society.post(owner, f"{person}/noindex", f"{person}/profile", noindex="yes")
    page = society.browser().get(person)
    assert page.headers["x-robots-tag"] == "noindex"
    assert tree(page).xpath("//meta[@name='robots']/@content") == ["noindex"]
    society.post(owner, f"{person}/noindex", f"{person}/profile", noindex="no")
    assert "x-robots-tag" not in society.browser().get(person).headers
    settings = society.application.state.site.settings
    try:
        settings.people_noindex = "unclaimed"
        assert "x-robots-tag" not in society.browser().get(person).headers
        assert "x-robots-tag" in society.browser().get(f"/people/A{ids['kweon']}").headers
        settings.people_noindex = "all"
        assert "x-robots-tag" in society.browser().get(person).headers
    finally:
        settings.people_noindex = "none"


def test_a_page_is_hidden_on_request_everywhere(society, ids, numbers) -> None:
    number = ids["kang"]
    person = f"/people/A{number}"
    stranger, moderator = society.browser(), society.member("Mo", "moderator")
    assert "have it corrected or hidden" in stranger.get(person).text
    fields = {"ask": "hide", "text": f"I am this person. {SCRIPT}", "contact": "kz@example.org"}
    assert "Your request has the number" in stranger.post(f"{person}/correct", data=fields).text
    judged = moderator.get(f"{person}/correct")
    assert "kz@example.org" in judged.text and "<script>alert" not in judged.text
    assert "kz@example.org" not in society.member("Eve Other").get(f"{person}/correct").text
    report = re.search(r'name="report" value="(\d+)"', judged.text)[1]
    work = f"/works/W{next(n for t, n in numbers.items() if t.startswith('work:Dual Temperature'))}"
    places = (work, "/people?q=Kang", "/search?q=kang+zhang+momentum", f"/people/A{ids['chaoning']}",
              "/names/zhang%2C%20kang", "/")  # fmt: skip
    link = re.compile(rf"/people/A{number}(?!\d)")
    assert link.search(stranger.get(work).text) and link.search(stranger.get(places[1]).text)
    eve = society.member("Eve Other")
    refused = society.post(eve, f"{person}/correct/decide", report=report, decision="hidden")
    assert refused.status_code == 403
    elsewhere = society.post(
        moderator, f"/people/A{ids['kweon']}/correct/decide", report=report, decision="hidden"
    )
    assert elsewhere.status_code == 404, "the request is about another person"
    society.post(
        moderator, f"{person}/correct/decide", report=report, decision="hidden", why="Theirs."
    )
    for place in places:
        page = stranger.get(place)
        assert page.status_code == 200 and not link.search(page.text), place
    assert "Kang Zhang" in stranger.get(work).text, "the name stays on the work"
    for place in ("", "/claim", "/correct", "/trust", "/trust.json", "/trust/history", "?page=2"):
        gone = stranger.get(f"{person}{place}")
        assert gone.status_code == 410 and "was hidden after somebody asked" in gone.text
    assert stranger.get(f"/people/A00{number}").status_code == 410
    gone = stranger.get(f"/api/people/A{number}")
    assert (gone.status_code, gone.headers["content-type"]) == (410, "application/problem+json")
    assert stranger.post(f"{person}/correct", data=fields).status_code == 410
    found = stranger.get(f"/search?person=A{number}")
    assert not tree(found).xpath("//article[@class='work']")
    assert "person" not in stranger.get(f"/search?q=&person=A{number}").url.path
    assert moderator.get(person).status_code == 200
    assert "kz@example.org" not in moderator.get(f"{person}/correct").text
    society.post(moderator, f"{person}/correct/decide", decision="show")
    assert stranger.get(person).status_code == 200


def test_requests_are_counted_and_checked(society, ids) -> None:
    person = f"/people/A{ids['kweon']}"
    stranger = society.browser()
    good = {"ask": "object", "text": "I object to this page being here.", "contact": ""}
    foreign = stranger.post(
        f"{person}/correct", data=good, headers={"sec-fetch-site": "cross-site"}
    )
    assert foreign.status_code == 403
    assert stranger.post(f"{person}/correct", data=good | {"text": "x"}).status_code == 400
    assert stranger.post(f"{person}/correct", data=good | {"ask": "x"}).status_code == 400
    assert stranger.post(f"{person}/correct", data=good | {"contact": "x"}).status_code == 400
    assert [stranger.post(f"{person}/correct", data=good).status_code for _ in range(3)] == [
        200,
        200,
        429,
    ]


def test_numbers_that_nobody_has(society) -> None:
    ada = society.member("Ada Example")
    for number in ("0", "999999999", "9" * 15, "9" * 16, "9" * 400):
        for way in ("claim", "correct", "profile", "confirm"):
            assert ada.get(f"/people/A{number}/{way}").status_code == 404, number
            assert society.post(ada, f"/people/A{number}/{way}").status_code == 404, number
        for way in ("claim/ask", "claim/vouch", "claim/decide", "noindex"):
            assert society.post(ada, f"/people/A{number}/{way}").status_code in (403, 404), number


def test_a_coauthor_is_asked_and_vouches_through_the_page(society, ids) -> None:
    person = f"/people/A{ids['chaoning']}"
    coauthor = make_owner(society, ids["kweon"], "In So Kweon")
    claimant, eve = society.member("Chaoning Zhang"), society.member("Eve Other")
    society.post(claimant, f"{person}/claim")
    assert "Ask In So Kweon" in claimant.get(f"{person}/claim").text
    assert "Ask In So Kweon" not in eve.get(f"{person}/claim").text
    assert society.post(claimant, f"{person}/claim/ask", account=eve.account_id).status_code == 404
    assert society.post(eve, f"{person}/claim/ask", account=coauthor.account_id).status_code == 404
    assert (
        society.post(claimant, f"{person}/claim/ask", account=coauthor.account_id).status_code
        == 303
    )
    page = coauthor.get(f"{person}/claim").text
    claim = re.search(r'name="claim" value="(\d+)"', page)[1]
    assert "How do you know that it is" in page
    line = {"claim": claim, "line": "We wrote five papers together."}
    assert society.post(eve, f"{person}/claim/vouch", **line).status_code == 404
    assert society.post(coauthor, f"{person}/claim/vouch", **line).status_code == 303
    public = society.browser().get(person).text
    assert "We wrote five papers together." in public and "(<bdi>In So Kweon</bdi>)" in public
    assert "You vouched for this claim" in coauthor.get(f"{person}/claim").text
    society.post(coauthor, f"{person}/claim/vouch", claim=claim, back="yes")
    with society.community.reading() as session:
        assert owner_of(session, ids["chaoning"]) is None


def test_claims_cost_a_persons_page_few_statements(society, ids) -> None:
    from peerscope.community.claim_block import claim_block

    engine = society.community.database.engine
    with society.community.reading() as session, count_statements(engine) as seen:
        assert claim_block(session, ids["kang"]).owner is None
    assert seen.count == 1
    owner, person = make_owner(society, ids["kang"], "Kang Zhang"), f"/people/A{ids['kang']}"
    society.post(owner, f"{person}/profile", bio="Hello.")
    voucher = society.member("Vera Verified").account_id
    with society.community.writing() as session:
        add_proof(session, owner.account_id, "vouch", note="We met.", verifier_id=voucher)
    with society.community.reading() as session, count_statements(engine) as seen:
        assert claim_block(session, ids["kang"]).owner.vouchers[voucher] == "Vera Verified"
    assert seen.count == 3
    assert "by <bdi>Vera Verified</bdi>" in society.browser().get(person).text


def test_the_privacy_page_says_what_the_code_does(society) -> None:
    from peerscope.community.proofs import KINDS

    text = " ".join(tree(society.browser().get("/privacy")).text_content().split())
    for kind in KINDS.values():
        assert kind.label in text
    assert "without an account" in text and "400 days after the last visit" in text
    robots = society.browser().get("/robots.txt").text
    assert "Disallow: /vouch/" in robots and "Disallow: /me" in robots
