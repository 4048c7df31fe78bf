"""CSL-JSON: what is read, what is refused and why; one line of any size in bounded memory."""

from __future__ import annotations

import json
import random
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerscope.record.importers.bibliography import MAX_RECORD
from peerscope.record.importers.csl import CSL_TYPES, TYPES, CslImporter
from peerscope.record.importers.json_elements import elements
from peerscope.record.parsed import WORK_TYPES, Good, Quarantined

ITEM = {
    "id": "http://zotero.org/users/1/items/ABC",
    "type": "paper-conference",
    "title": "Dual Temperature Helps <i>Contrastive</i> Learning: H<sub>2</sub>O &amp; $x^2$",
    "container-title": "CVPR",
    "author": [
        {"family": "Zhang", "given": "Kang", "ORCID": "https://orcid.org/0000-0002-1825-0097"},
        {"family": "Maaten", "given": "Laurens", "non-dropping-particle": "van der"},
        {"family": "Hinton", "given": "Geoffrey", "suffix": "Jr."},
        {"literal": "LIGO Scientific Collaboration"},
        {"family": "Aristotle"},
        {},
    ],
    "issued": {"date-parts": [["2022", 6, "19"]]},
    "volume": 5,
    "page": "1–10",
    "DOI": "10.1000/ABC",
    "number": "arXiv:2203.17248v2",
    "ISBN": "978-1-4503-8016-4",
    "keyword": "a, b",
    "note": "5",
    "custom": {"deep": [1, None]},
    "accessed": {"date-parts": [[2024, 1, 1]]},
}


@pytest.fixture
def read(tmp_path):
    def read(source: object):
        path = tmp_path / "a.json"
        path.write_bytes(source if isinstance(source, bytes) else json.dumps(source).encode())
        records = list(CslImporter().read(str(path)))
        assert [r.position for r in records] == list(range(len(records)))
        return records

    return read


def test_item(read):
    work = read([ITEM])[0].work
    assert work.title == "Dual Temperature Helps Contrastive Learning: H2O & x²"
    assert work.title_markup == (
        r"Dual Temperature Helps \emph{Contrastive} Learning: H\textsubscript{2}O & $x^2$"
    )
    assert [(a.name, a.family, a.given) for a in work.authors] == [
        ("Kang Zhang", "Zhang", "Kang"),
        ("Laurens van der Maaten", "van der Maaten", "Laurens"),
        ("Geoffrey Hinton Jr.", "Hinton", "Geoffrey"),
        ("LIGO Scientific Collaboration", "LIGO Scientific Collaboration", None),
        ("Aristotle", "Aristotle", None),
    ]
    assert work.authors[0].ids == {"orcid": "0000-0002-1825-0097"}
    assert (work.year, work.date, work.volume, work.pages) == (2022, "2022-06-19", "5", "1-10")
    assert work.ids == {"doi": "10.1000/abc", "arxiv": "2203.17248"}
    assert work.venue_ids == {"isbn": "9781450380164"}
    assert [t.name for t in work.topics] == ["a", "b"]
    assert work.extra == {
        "note": '"5"',
        "custom": '{"deep":[1,null]}',
        "accessed": '{"date-parts":[[2024,1,1]]}',
    }


def test_shapes_of_files(read):
    one, two = {"id": "a", "title": "A"}, {"id": 2, "title": "B"}
    shapes = [
        json.dumps([one, two]),
        json.dumps([one, two], indent=2),
        json.dumps({"items": [one, two]}),
        "\n".join(json.dumps(x) for x in (one, two)),
        "\ufeff" + json.dumps([one, two]),
        json.dumps(one) + json.dumps(two, indent=1),
    ]
    for shape in shapes:
        assert [r.work.key for r in read(shape.encode())] == ["a", "2"], shape
    assert [r.work.key for r in read(json.dumps([one, two]).encode("utf-16"))] == ["a", "2"]
    assert read(b"[]") == read(b"") == read(b" \n") == []


def test_refusals_stand_beside_good_items(read):
    source = b"""[
{"id": 1, "title": "First"},
{"id": 2, "title": "A string that never
{"id": 3, "title": "After a broken line"},
{"id": 4},
{"id": 5, "title": "Y", "issued": {"date-parts": [[20222]]}},
{"id": 6, "title": "bad", },
7, "text",
{"id": 1, "title": "Key again"},
{"id": 8, "title": "Last"},
{"id": 9, "title": "cut"""
    records = read(source)
    assert [r.work.key for r in records if isinstance(r, Good)] == ["1", "3", "8"]
    refused = [r for r in records if isinstance(r, Quarantined)]
    words = [
        "breaks off",
        "no title",
        "20222",
        "not valid JSON",
        "not an object",
        "again",
        "never closed",
    ]
    assert len(refused) == len(words)
    for record, word in zip(refused, words, strict=True):
        assert word in record.reason
        assert record.mend.endswith(".")
        assert record.locator.startswith("line ")
    assert refused[0].locator == "line 3"
    assert refused[1].locator == "line 5"


def test_one_large_object_costs_one_object(read):
    big = json.dumps({"id": "big", "title": "x", "note": "y" * (MAX_RECORD + 10)})
    records = read(f'[{{"id":1,"title":"A"}},{big},{{"id":2,"title":"B"}}]'.encode())
    assert [type(r) for r in records] == [Good, Quarantined, Good]
    assert "8 MB" in records[1].reason
    assert len(records[1].excerpt) <= 500


def test_a_single_line_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "a.json"
    item = json.dumps({**ITEM, "id": "%d", "abstract": "word " * 300})
    with path.open("w") as file:
        file.write("[")
        for i in range(8_000):
            file.write(("," if i else "") + item % i)
        file.write("]")
    assert path.stat().st_size > 15_000_000
    tracemalloc.start()
    count = sum(isinstance(r, Good) for r in CslImporter().read(str(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 8_000
    assert peak < 8 << 20, f"{peak / 1e6:.1f} MB"


def test_an_endless_object_is_read_in_bounded_memory():
    def chunks():
        yield b'[{"id": "x", "title": "'
        for _ in range(300):
            yield b"x" * (1 << 18)

    tracemalloc.start()
    found = list(elements(chunks()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 1
    assert found[0].problem
    assert peak < 5 * MAX_RECORD


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    items=st.lists(
        st.dictionaries(st.text(max_size=4), VALUES, max_size=4), min_size=1, max_size=6
    ),
    size=st.integers(1, 9),
    indent=st.sampled_from([None, 1]),
)
@settings(max_examples=200, deadline=None)
def test_elements_agree_with_a_whole_parse(items, size, indent):
    source = json.dumps(items, indent=indent, ensure_ascii=False).encode("utf-8", "replace")
    pieces = [source[i : i + size] for i in range(0, len(source), size)]
    found = list(elements(pieces))
    assert [e.problem for e in found] == [None] * len(items)
    assert [json.loads(e.source) for e in found] == json.loads(source)
    for element in found:
        assert source[element.offset : element.offset + 1] == b"{"
        assert element.line == source[: element.offset].count(b"\n") + 1


@given(value=VALUES, key=st.sampled_from(sorted(ITEM)))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_wrong_kinds_of_value_never_raise(value, key, read):
    read([{**ITEM, key: value}])


@given(source=st.binary(max_size=200))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bytes_never_raise(source, read):
    read(b'[{"id":1,' + source)


def test_mutated_files_never_raise(read):
    original = json.dumps([ITEM, {**ITEM, "id": 2}], indent=1).encode()
    rng = random.Random(3)
    for _ in range(100):
        data = bytearray(original)
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(data))
            if rng.random() < 0.6:
                data[at] = rng.choice(b'{}[]",:\\\n\x00\xff0')
            else:
                del data[at : at + rng.randint(1, 20)]
        read(bytes(data))


def test_types_are_known_to_both_sides():
    assert set(CSL_TYPES) == set(WORK_TYPES)
    assert set(TYPES.values()) == set(WORK_TYPES)
