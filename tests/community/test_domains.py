"""Domains of institutions: ROR in its three shapes, letters that look alike, and the proof by a mail."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from peerscope.community import Community, CommunityError, NotThereError
from peerscope.community.claiming_models import InstitutionDomain
from peerscope.community.domains import (
    ask_domain,
    confirm_domain,
    import_domains,
    known_domains,
    look_domain,
    place_of,
)
from peerscope.community.expiry import remind_of_expiry
from peerscope.community.models import Notice, Proof, Ticket
from peerscope.community.proofs import YEAR, level_of
from peerscope.community.ror import Bad, DomainError, is_shared, normal_domain, read_ror
from peerscope.settings import Settings

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", "/nowhere")) / "data/scholarly/ror_orgs.jsonl.zst"

FLAT = {"ror": "012345600", "name": "Example University", "aliases": ["Universitas Exempli"],
        "acronyms": ["EXU", "EXUN"], "domains": ["Example.EDU"], "status": "active"}  # fmt: skip
FIRST = {"id": "https://ror.org/012345601", "name": "Old Sample College", "aliases": ["OSC of Old"],
         "domains": ["sample.example"], "status": "active"}  # fmt: skip
SECOND = {"id": "https://ror.org/012345602", "status": "active", "domains": ["zürich.example"],
          "names": [{"value": "ZE", "types": ["acronym"]},
                    {"value": "Zürich Example", "types": ["ror_display", "label"]}]}  # fmt: skip


@pytest.fixture
def three(community, tmp_path) -> Community:
    path = tmp_path / "dump.json"
    path.write_text(json.dumps([FLAT, FIRST, SECOND], indent=1), encoding="utf-8")
    with community.writing() as session:
        assert import_domains(session, path).domains == 3
    return community


def rows(community) -> list[tuple[str, str, str]]:
    with community.reading() as session:
        return [(row.domain, row.ror, row.name) for row in session.scalars(
            select(InstitutionDomain).order_by(InstitutionDomain.domain))]  # fmt: skip


def test_the_three_shapes_of_ror_are_read(three) -> None:
    assert rows(three) == [
        ("example.edu", "012345600", "Example University"),
        ("sample.example", "012345601", "Old Sample College"),
        ("xn--zrich-kva.example", "012345602", "Zürich Example"),
    ]
    with three.reading() as session:
        assert place_of(session, "example.edu").name_keys == {
            "example university", "universitas exempli", "exun",
        }  # fmt: skip


def test_a_file_read_again_changes_nothing_and_a_later_one_takes_away(three, tmp_path) -> None:
    path = tmp_path / "lines.jsonl"
    before = rows(three)
    path.write_text("\n".join(map(json.dumps, [FLAT, FIRST, SECOND])), encoding="utf-8")
    with three.writing() as session:
        done = import_domains(session, path)
    assert (done.added, done.removed, rows(three)) == (0, 0, before)
    withdrawn = FIRST | {"status": "withdrawn"}
    path.write_text("\n".join(map(json.dumps, [FLAT, withdrawn, SECOND])), encoding="utf-8")
    with three.writing() as session:
        done = import_domains(session, path)
    assert (done.removed, done.skipped) == (1, {"withdrawn": 1})
    assert [row[0] for row in rows(three)] == ["example.edu", "xn--zrich-kva.example"]


def test_a_file_that_breaks_off_takes_nothing_away(three, tmp_path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(json.dumps([FLAT | {"name": "Renamed"}, FIRST])[:-40], encoding="utf-8")
    with three.writing() as session:
        done = import_domains(session, path)
    assert done.removed == 0 and done.bad == 1
    assert [(row[0], row[2]) for row in rows(three)][:2] == [
        ("example.edu", "Renamed"), ("sample.example", "Old Sample College"),
    ]  # fmt: skip


def test_a_file_without_a_domain_is_refused_and_the_old_ones_stay(three, tmp_path) -> None:
    path = tmp_path / "none.jsonl"
    path.write_text("@article{x}\n[1, 2]\n{}", encoding="utf-8")
    before = rows(three)
    with pytest.raises(CommunityError, match="states no domain"), three.writing() as session:
        import_domains(session, path)
    assert rows(three) == before


def test_suffixes_and_mailboxes_of_everybody_do_not_go_in(community, tmp_path) -> None:
    path = tmp_path / "bad.jsonl"
    wrong = ["ac.in", "gmail.com", "localhost", "10.0.0.1", "-x.edu", "a b.edu", "https://x.edu/"]
    path.write_text(json.dumps(FLAT | {"domains": [*wrong, "good.edu"]}), encoding="utf-8")
    with community.writing() as session:
        done = import_domains(session, path)
        assert done.bad == len(wrong) and len(done.examples) == len(wrong)
        assert place_of(session, "cs.iit.ac.in") is None
        assert place_of(session, "mail.good.edu").domain == "good.edu"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
records = st.dictionaries(
    st.sampled_from(["ror", "id", "name", "names", "domains", "status", "aliases", "acronyms", "labels"]),
    json_values | st.sampled_from(["012345600", "https://ror.org/012345601", ["a.edu", "ü.edu"]]),
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records | json_values, max_size=5), st.booleans(), st.integers(0, 400))
def test_no_file_breaks_the_reading(tmp_path, found, as_lines, cut) -> None:
    path = tmp_path / "fuzz.json"
    whole = "\n".join(map(json.dumps, found)) if as_lines else json.dumps(found)
    path.write_text(whole[: len(whole) - cut] if cut < len(whole) else whole, encoding="utf-8")
    for record in read_ror(path):
        for domain in getattr(record, "domains", ()):
            assert normal_domain(domain) == domain and domain.isascii() and not is_shared(domain)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_no_bytes_break_the_reading(tmp_path, content) -> None:
    path = tmp_path / "fuzz.bin"
    path.write_bytes(content)
    assert all(isinstance(one, Bad) for one in read_ror(path) if not hasattr(one, "why"))


def test_letters_that_look_alike_are_other_domains(three, make_account) -> None:
    ada = make_account()
    cyrillic = normal_domain("ex\u0430mple.edu")
    assert cyrillic.startswith("xn--") and cyrillic != "example.edu"
    assert normal_domain("EXAMPLE.edu.") == "example.edu"
    assert normal_domain("\uff45xample.edu") == "example.edu", (
        "full-width letters are the same name"
    )
    assert normal_domain("stra\u00dfe.example") != normal_domain("strasse.example")
    assert normal_domain("ZÜRICH.example") == normal_domain("zu\u0308rich.example")
    with three.writing() as session:
        with pytest.raises(CommunityError, match="No institution in ROR"):
            ask_domain(session, ada, "ada@ex\u0430mple.edu")
        address, place, _ = ask_domain(session, ada, "ada@mail.ZÜRICH.example")
        assert address == "ada@mail.xn--zrich-kva.example"
        assert place.domain == "xn--zrich-kva.example"
    for wrong in ("", "edu", ".", "a..b", "x" * 64 + ".edu", "1.2.3.4", "a_b.edu", "a/b.edu"):
        with pytest.raises(DomainError):
            normal_domain(wrong)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ada", "not an e-mail address"),
        ("ada@", "not a domain"),
        ("a da@example.edu", "not an e-mail address"),
        ("ada@example.edu\nBcc: x@example.edu", "not an e-mail address|not a domain"),
        ('"a@b"@example.edu', "not an e-mail address"),
        ("ädä@example.edu", "not an e-mail address"),
        ("ada@gmail.com", "Anybody gets a mailbox"),
        ("ada@mail.gmail.com", "Anybody gets a mailbox"),
        ("ada@notexample.edu", "No institution in ROR"),
        ("ada@example.edu.evil.org", "No institution in ROR"),
        ("x" * 300 + "@example.edu", "not an e-mail address"),
    ],
)
def test_addresses_that_show_nothing(three, address, says) -> None:
    with three.writing() as session, pytest.raises(CommunityError, match=says):
        ask_domain(session, 1, address)


def test_a_site_without_ror_says_so(community) -> None:
    with community.writing() as session:
        assert known_domains(session) == 0
        with pytest.raises(CommunityError, match="knows no domains"):
            ask_domain(session, 1, "ada@example.edu")


def test_an_address_is_proved_by_its_mail_and_not_kept(three, make_account) -> None:
    ada, eve = make_account(), make_account("Eve Other")
    with three.writing() as session:
        _, place, secret = ask_domain(session, ada, "Ada.Lov@cs.example.edu")
        assert place.domain == "example.edu"
        with pytest.raises(NotThereError):
            confirm_domain(session, eve, secret)
        with pytest.raises(NotThereError):
            look_domain(session, eve, secret)
        assert look_domain(session, ada, secret).label == "Example University"
        number = confirm_domain(session, ada, secret)
        with pytest.raises(NotThereError):
            confirm_domain(session, ada, secret)
        proof = session.get(Proof, number)
        assert (proof.value, proof.issuer, level_of(session, ada)) == (
            "example.edu", "Example University", 3,
        )  # fmt: skip
        kept = json.dumps([{k: str(v) for k, v in vars(row).items()} for row in
                           [*session.scalars(select(Proof)), *session.scalars(select(Ticket))]])  # fmt: skip
        assert "lov" not in kept.lower()
        _, _, again = ask_domain(session, ada, "ada.lov@CS.example.edu")
        assert confirm_domain(session, ada, again) == number, "renewed, not doubled"
        _, _, other = ask_domain(session, eve, "ada.lov@cs.example.edu")
        with pytest.raises(CommunityError, match="proves another account"):
            confirm_domain(session, eve, other)


def test_a_link_is_of_no_use_once_the_domain_is_gone(three, make_account, tmp_path) -> None:
    ada = make_account()
    with three.writing() as session:
        _, _, secret = ask_domain(session, ada, "ada@example.edu")
    path = tmp_path / "later.jsonl"
    path.write_text(json.dumps(FIRST), encoding="utf-8")
    with three.writing() as session:
        import_domains(session, path)
        with pytest.raises(NotThereError, match="no longer known"):
            confirm_domain(session, ada, secret)


def test_a_proof_is_announced_before_it_ends_once(three, make_account, clock) -> None:
    ada = make_account()
    with three.writing() as session:
        _, _, secret = ask_domain(session, ada, "ada@example.edu")
        confirm_domain(session, ada, secret)
        assert remind_of_expiry(session) == 0
        clock.move(YEAR - timedelta(days=20))
        assert remind_of_expiry(session) == 1
        assert remind_of_expiry(session) == 0
        notice = session.scalars(select(Notice)).one()
        assert (notice.account_id, notice.kind) == (ada, "proof.expires")
        _, _, secret = ask_domain(session, ada, "ada@example.edu")
        confirm_domain(session, ada, secret)
        assert remind_of_expiry(session) == 0
        clock.move(YEAR - timedelta(days=20))
        assert level_of(session, ada) == 3
        assert remind_of_expiry(session) == 1, "what was renewed ends anew"
        clock.move(timedelta(days=21))
        assert level_of(session, ada) == 0


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the shared data sets are not here")
def test_the_real_ror_file(tmp_path) -> None:
    community = Community(Settings(home=tmp_path / "ror"))
    with community.writing() as session:
        done = import_domains(session, SHARED)
        print(f"{done.domains} domains of {done.institutions} institutions, {done.bad} refused")
        assert done.domains > 20_000 and done.bad < 100
        assert place_of(session, "mail.cs.ox.ac.uk").label == "University of Oxford"
        assert place_of(session, "student.some-college.edu.cn") is None
    community.close()
