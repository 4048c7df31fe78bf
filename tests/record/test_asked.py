"""Identifiers out of pasted text: every form that people paste, and nothing that they did not mean."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.record.fetching.asked import (
    LONGEST_TEXT,
    MOST,
    SHOWN,
    Asked,
    ids_in,
    orcid_in_form,
)
from peerscope.record.importers.bibliography import arxiv_of

SICI = "10.1002/(sici)1097-4571(199105)42:4<288::aid-asi7>3.0.co;2-7"

TAKEN = [
    ("10.1145/3292500.3330701", "doi:10.1145/3292500.3330701"),
    ("https://doi.org/10.1145/3292500.3330701.", "doi:10.1145/3292500.3330701"),
    ("http://dx.doi.org/10.1000/ABC", "doi:10.1000/abc"),
    ("doi.org/10.1000/abc?utm_source=x#top", "doi:10.1000/abc"),
    ("doi:10.1016/S0140-6736(05)67728-8,", "doi:10.1016/s0140-6736(05)67728-8"),
    ("DOI: 10.1000/abc", "doi:10.1000/abc"),
    ("(see doi 10.1000/abc).", "doi:10.1000/abc"),
    ("[10.1000/abc]", "doi:10.1000/abc"),
    (f"https://doi.org/{SICI}", f"doi:{SICI}"),
    ("https://doi.org/10.1002/%28SICI%291097-4571%28199105%2942%3A4%3C288%3A%3AAID-ASI7%3E3.0.CO%3B2-7", f"doi:{SICI}"),
    ("https://dl.acm.org/doi/abs/10.1145/3292500.3330701", "doi:10.1145/3292500.3330701"),
    ("https://link.springer.com/article/10.1007/s11263-015-0816-y", "doi:10.1007/s11263-015-0816-y"),
    ("1706.03762", "arXiv:1706.03762"),
    ("arXiv:1706.03762v7 [cs.CL]", "arXiv:1706.03762"),
    ("arXiv preprint arXiv:1706.03762, 2017", "arXiv:1706.03762"),
    ("https://arxiv.org/abs/1706.03762v7", "arXiv:1706.03762"),
    ("https://arxiv.org/pdf/1706.03762v7.pdf", "arXiv:1706.03762"),
    ("http://export.arxiv.org/abs/hep-th/9901001v2", "arXiv:hep-th/9901001"),
    ("math.GT/0309136", "arXiv:math/0309136"),
    ("10.48550/arXiv.1706.03762", "arXiv:1706.03762"),
    ("https://doi.org/10.48550/arXiv.1706.03762", "arXiv:1706.03762"),
    ("0000-0002-1825-0097", "ORCID:0000-0002-1825-0097"),
    ("ORCID iD: 0000-0002-1694-233x", "ORCID:0000-0002-1694-233X"),
    ("https://orcid.org/0000-0002-1825-0097/", "ORCID:0000-0002-1825-0097"),
    ("0000000218250097", "ORCID:0000-0002-1825-0097"),
    ("https://openalex.org/works/w2741809807", "OpenAlex:W2741809807"),
    ("W2741809807", "OpenAlex:W2741809807"),
]  # fmt: skip

REFUSED = [
    ("0000-0002-1825-0098", "check digit"),
    ("orcid: 1234", "no ORCID"),
    ("https://sandbox.orcid.org/0000-0002-1825-0097", "sandbox"),
    ("PMID: 12345678", "PubMed"),
    ("https://pubmed.ncbi.nlm.nih.gov/12345678/", "PubMed"),
    ("ISBN 978-1-4503-8016-4", "ISBN"),
    ("arXiv:1713.03762", "no arXiv id"),
    ("arXiv:1706.3762", "no arXiv id"),
    ("A5023888391", "Only works"),
    ("10.1145", "no whole DOI"),
    ("doi:11.1145/x", "no whole DOI"),
    ("https://example.org/paper", "not of doi.org"),
    ("https://doi.org.example.org/x", "not of doi.org"),
    ("http://[::1", "cannot be read"),
    ("Attention is all you need", "no DOI"),
    ("1234.5678", "no DOI"),
    ("https://arxiv.org/list/cs.CL/recent", "no page of a work"),
    ("١٠.١١٤٥/x", "no DOI"),
]


@pytest.mark.parametrize(("pasted", "expected"), TAKEN)
def test_what_people_paste(pasted, expected) -> None:
    found, refused = ids_in(pasted)
    assert [str(one) for one in found] == [expected]
    assert refused == []


@pytest.mark.parametrize(("pasted", "reason"), REFUSED)
def test_what_is_refused_says_why(pasted, reason) -> None:
    found, refused = ids_in(pasted)
    assert found == []
    assert len(refused) == 1
    assert reason in refused[0].reason
    assert refused[0].reason.endswith(".")


def test_a_mixed_list_keeps_its_order_and_takes_each_once() -> None:
    found, refused = ids_in(
        "10.1000/b, 10.1000/a;arXiv:1706.03762\n\nsome words\n0000-0002-1825-0097\thttps://doi.org/10.1000/A\n"
    )
    assert [str(one) for one in found] == [
        "doi:10.1000/b", "doi:10.1000/a", "arXiv:1706.03762", "ORCID:0000-0002-1825-0097",
    ]  # fmt: skip
    assert [one.written for one in refused] == ["some words"]


def test_there_are_bounds() -> None:
    found, refused = ids_in("\n".join(f"10.1000/{n}" for n in range(MOST + 2)))
    assert len(found) == MOST
    assert [one.written for one in refused] == [f"doi:10.1000/{MOST}", f"doi:10.1000/{MOST + 1}"]
    found, refused = ids_in("10.1000/a " * 2 + " " * LONGEST_TEXT + "10.1000/b")
    assert [one.value for one in found] == ["10.1000/a"]
    assert "were looked at" in refused[-1].reason
    found, refused = ids_in("10.1000/" + "x" * 1000)
    assert found == [] and "at most" in refused[0].reason
    found, refused = ids_in("10.1000/" + "x" * 9_992)
    assert found == [] and "10,000 characters" in refused[0].reason


@pytest.mark.parametrize(
    "piece", ["(", ")", "10.1000/", "doi:", ",10.1000/", "<", "arXiv:", "http://"]
)
def test_no_text_takes_long(piece) -> None:
    start = time.process_time()
    ids_in((piece * LONGEST_TEXT)[:LONGEST_TEXT])
    assert time.process_time() - start < 3


asked = st.one_of(
    st.builds(
        lambda prefix, rest: Asked("doi", f"10.{prefix}/{rest}"),
        st.integers(1000, 99999),
        st.from_regex(r"[a-z0-9][a-z0-9()<>:;_./-]{0,20}[a-z0-9]", fullmatch=True).filter(
            lambda rest: not rest.startswith("arxiv")
        ),
    ),
    st.builds(
        lambda year, month, n: Asked("arxiv", f"{year:02}{month:02}.{n:05}"),
        st.integers(15, 99), st.integers(1, 12), st.integers(0, 99999),
    ),
    st.builds(
        lambda digits: Asked("orcid", with_check_digit(digits)), st.integers(0, 10**15 - 1)
    ),
    st.builds(lambda n: Asked("openalex", f"W{n}"), st.integers(10**5, 10**11)),
)  # fmt: skip


def with_check_digit(number: int) -> str:
    """The check digit by the polynomial form of the standard, not by the rolling sum of the code."""
    digits = f"{number:015}"
    total = sum(int(digit) * 2 ** (15 - place) for place, digit in enumerate(digits))
    check = (1 - total) % 11
    whole = digits + ("X" if check == 10 else str(check))
    return "-".join(whole[at : at + 4] for at in range(0, 16, 4))


FORMS = {
    "doi": ["{}", "doi:{}", "DOI: {}", "https://doi.org/{}", "<{}>", "“{}”.", "{},"],
    "arxiv": ["{}", "arXiv:{}", "arXiv: {}v3", "https://arxiv.org/abs/{}v1", "https://arxiv.org/pdf/{}.pdf"],
    "orcid": ["{}", "https://orcid.org/{}", "ORCID {}", "({})"],
    "openalex": ["{}", "https://openalex.org/{}", "https://api.openalex.org/works/{}", "OpenAlex: {}"],
}  # fmt: skip


@given(st.lists(st.tuples(asked, st.integers(0, 6), st.sampled_from([" ", "\n", "\r\n", "\t"]))))
def test_every_form_leads_back_to_the_identifier(wanted) -> None:
    text = ""
    for one, form, gap in wanted:
        forms = FORMS[one.scheme]
        text += forms[form % len(forms)].format(one.value) + gap
    found, refused = ids_in(text)
    assert refused == []
    assert found == list(dict.fromkeys(one for one, _, _ in wanted))


@given(asked)
def test_normal_forms_are_fixed_points(one) -> None:
    assert ids_in(str(one)) == ([one], [])


@given(st.integers(0, 10**15 - 1), st.integers(0, 14), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(number, place, by) -> None:
    right = with_check_digit(number)
    assert orcid_in_form(right) == right
    plain = right.replace("-", "")
    wrong = plain[:place] + str((int(plain[place]) + by) % 10) + plain[place + 1 :]
    assert orcid_in_form(wrong) is None


pieces = st.sampled_from(
    ["10.", "10.1000/", "doi:", "https://doi.org/", "https://arxiv.org/abs/", "arXiv:", "1706.03762",
     "0000-0002-1825-0097", "W2741809807", "PMID:", "orcid.org/", "(", ")", "<", ",", ";", "%2F", "%", "[", "://", "\n", " "]
)  # fmt: skip


@given(st.lists(pieces | st.text(max_size=6), max_size=12).map("".join))
def test_no_text_breaks_it_and_what_comes_out_is_in_form(text) -> None:
    found, refused = ids_in(text)
    for one in found:
        assert one.value.isprintable() and not any(char.isspace() for char in one.value)
        assert ids_in(str(one))[0] == [one]
        if one.scheme == "arxiv":
            assert arxiv_of(one.value) == one.value
    for refusal in refused:
        assert len(refusal.written) <= SHOWN
    if text.strip() and not found:
        assert refused
