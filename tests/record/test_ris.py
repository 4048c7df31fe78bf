"""RIS: what is read, what is refused and why; rispy as the independent reader."""

from __future__ import annotations

import random

import pytest
import rispy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.record.importers.ris import RIS_TYPES, TYPES, RisImporter
from peerscope.record.parsed import WORK_TYPES, Good, Quarantined

SAMPLE = """\
TY  - CPAPER
ID  - zhang2022dual
T1  - Dual Temperature Helps Contrastive Learning Without Many Negative Samples:
      Towards Understanding and Simplifying MoCo
A1  - Zhang, Chaoning
AU  - Zhang, Kang
AU  - Pham, Trung X.
AU  - Hinton, Geoffrey, Jr.
AU  - JD.com Search Team
PY  - 2022/06/19/
T2  - Conference on Computer Vision
  and Pattern Recognition
SP  - 14441
EP  - 14450
VL  - 1
IS  - 2
DO  - https://doi.org/10.1109/CVPR52688.2022.01404
KW  - contrastive learning
KW  - negative samples
UR  - https://arxiv.org/abs/2203.17248
UR  - https://example.org/second
L1  - https://arxiv.org/pdf/2203.17248
AB  - We use $x^2$ and H<sub>2</sub>O &amp; more.
C1  - first
C1  - second
N1  - a note
ER  -

TY  - BOOK
TI  - Deep Learning
AU  - Goodfellow, Ian
Y1  - 2016
SN  - 978-0-262-03561-3
ER  -
TY  - JOUR
TI  - No end before the next
JO  - Journal of Examples
SN  - 1234-5678 (Online)
DA  - 2001/05
TY  - JOUR
AU  - Example, Ada
PY  - 2001
ER  -
TY  - JOUR
TI  - From the far future
PY  - 20222
ER  -
AU  - Stray
ER  -
TY  - JOUR
ID  - zhang2022dual
TI  - A key that was there before
ER  -
TY  - JOUR
TI  - Cut off in the mid
"""


@pytest.fixture
def read(tmp_path):
    def read(source: str | bytes):
        path = tmp_path / "a.ris"
        path.write_bytes(source.encode() if isinstance(source, str) else source)
        records = list(RisImporter().read(str(path)))
        assert [r.position for r in records] == list(range(len(records)))
        return records

    return read


def test_sample(read):
    records = read(SAMPLE)
    work = records[0].work
    assert work.title.endswith("Negative Samples: Towards Understanding and Simplifying MoCo")
    assert [a.name for a in work.authors] == [
        "Kang Zhang", "Trung X. Pham", "Geoffrey Hinton Jr.", "JD.com Search Team", "Chaoning Zhang",
    ]  # fmt: skip
    assert (work.authors[0].family, work.authors[0].given) == ("Zhang", "Kang")
    assert (work.year, work.date, work.pages) == (2022, "2022-06-19", "14441-14450")
    assert work.venue == "Conference on Computer Vision and Pattern Recognition"
    assert work.ids == {"doi": "10.1109/cvpr52688.2022.01404", "arxiv": "2203.17248"}
    assert [t.name for t in work.topics] == ["contrastive learning", "negative samples"]
    assert work.abstract == "We use x² and H2O & more."
    assert work.pdf_url == "https://arxiv.org/pdf/2203.17248"
    assert work.extra == {"UR": "https://example.org/second", "C1": "first\nsecond", "N1": "a note"}
    assert records[1].work.ids["isbn"] == "9780262035613"
    assert records[2].work.venue_ids == {"issn": "1234-5678"}
    assert records[2].work.date == "2001-05"
    reasons = [r.reason for r in records if isinstance(r, Quarantined)]
    assert len(reasons) == 5
    for word, reason in zip(["no title", "20222", "TY", "again", "cut off"], reasons, strict=True):
        assert word in reason
    lines = SAMPLE.splitlines()
    assert lines[int(records[-1].locator.removeprefix("line ")) - 1] == "TY  - JOUR"


def test_agrees_with_rispy(read):
    """Another reader sees the same in records that it can read (one-line values, one title)."""
    source = (
        "TY  - JOUR\nTI  - Plain title\nAU  - Zhang, Kang\nAU  - Xu, Yin\nPY  - 2022\nJO  - Some Journal\n"
        "VL  - 3\nIS  - 4\nDO  - 10.1000/x\nKW  - one\nKW  - two\nAB  - Some text.\nER  - \n"
    )
    other = rispy.loads(source)[0]
    work = read(source)[0].work
    assert other["title"] == work.title
    assert other["authors"] == [f"{a.family}, {a.given}" for a in work.authors]
    assert other["year"] == str(work.year)
    assert other["journal_name"] == work.venue
    assert (other["volume"], other["number"]) == (work.volume, work.issue)
    assert other["keywords"] == [t.name for t in work.topics]
    assert other["abstract"] == work.abstract


def test_types_are_known_to_both_sides():
    assert set(RIS_TYPES) == set(WORK_TYPES)
    assert set(TYPES.values()) <= set(WORK_TYPES)
    assert set(TYPES) | set(RIS_TYPES.values()) <= set(rispy.TYPE_OF_REFERENCE_MAPPING)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(read, newline):
    assert [type(r) for r in read(SAMPLE.replace("\n", newline))] == [type(r) for r in read(SAMPLE)]


def test_encodings(read):
    source = "TY  - JOUR\nTI  - Über Bytes\nER  - \n"
    mixed = source.encode("cp1252") + source.encode("utf-8")
    assert [r.work.title for r in read(mixed)] == ["Über Bytes"] * 2
    assert read(source.encode("utf-16"))[0].work.title == "Über Bytes"
    assert read(source.encode("utf-8-sig"))[0].work.title == "Über Bytes"


def test_a_record_that_is_too_large_costs_one_record(read):
    good = "TY  - JOUR\nTI  - Good %d\nER  - \n"
    one_line = "TY  - JOUR\nTI  - Big\nAB  - " + "x" * (9 << 20) + "\nER  - \n"
    many_lines = "TY  - JOUR\nTI  - Big\nAB  - " + "word\n" * (2 << 20) + "ER  - \n"
    for big in (one_line, many_lines):
        records = read(good % 1 + big + good % 2)
        assert [type(r) for r in records] == [Good, Quarantined, Good]
        assert "8 MB" in records[1].reason


@given(source=st.binary(max_size=300))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bytes_never_raise(source, read):
    read(b"TY  - JOUR\n" + source)


def test_mutated_records_never_raise(read):
    rng = random.Random(7)
    for _ in range(80):
        data = bytearray(SAMPLE.encode())
        for _ in range(rng.randint(1, 25)):
            at = rng.randrange(len(data))
            if rng.random() < 0.5:
                data[at] = rng.randrange(256)
            else:
                del data[at : at + rng.randint(1, 30)]
        read(bytes(data))
