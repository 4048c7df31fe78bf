from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime

import numpy as np
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written import write_rows

from peerscope.retrieval import Interaction, Item, User
from peerscope.retrieval.files.catalogue import Files, read_catalogue
from peerscope.retrieval.files.interactions import InteractionTable
from peerscope.retrieval.files.problems import FileError, excerpt_of
from peerscope.retrieval.files.users import MOST_HISTORY

ITEMS = [
    {"id": 1, "title": "Red lamp", "text": "A lamp that is red.", "brand": "Lux", "stock": 3},
    {"id": 2, "title": "Blue lamp", "text": None, "brand": "Lux", "stock": None},
    {"id": 3, "title": "Chair", "text": "", "brand": None, "stock": 0},
]
USERS = [{"id": "u1", "history": [2, 1], "town": "Rome"}, {"id": "u2", "history": [], "town": None}]
EVENTS = [
    {"query": "lamp", "item_id": 1, "user_id": "u1", "time": 10, "weight": 2.0, "kind": "order"},
    {"query": "seat", "item_id": 3, "user_id": None, "time": None, "weight": None, "kind": None},
    {"query": None, "item_id": 2, "user_id": "u2", "time": 11, "weight": None, "kind": None},
]


def reasons(found) -> list[tuple[str, int | None, str | None, str]]:
    return [(one.file, one.row, one.column, one.reason) for one in found.problems]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_three_files_become_items_users_and_interactions(write, suffix) -> None:
    files = Files.named(
        [
            write(f"{name}{suffix}", rows)
            for name, rows in (("i", ITEMS), ("u", USERS), ("e", EVENTS))
        ]
    )
    found = read_catalogue(files)
    assert found.items == [
        Item(1, "Red lamp", "A lamp that is red.", "", {"brand": ("Lux",), "stock": ("3",)}),
        Item(2, "Blue lamp", "", "", {"brand": ("Lux",)}),
        Item(3, "Chair", "", "", {"stock": ("0",)}),
    ]
    assert found.users == [User("u1", {"town": "Rome"}, (2, 1)), User("u2")]
    assert list(found.interactions) == [
        Interaction("lamp", 1, "u1", "order", 2.0, 10.0),
        Interaction("seat", 3),
        Interaction("", 2, "u2", time=11.0),
    ]
    assert len(found.problems) == 0
    assert [found.ids.own(item.id) for item in found.items] == ["1", "2", "3"]


def test_csv_gives_the_same(write) -> None:
    rows = [{**USERS[0], "history": "2|1"}, USERS[1] | {"history": ""}]
    files = Files(write("i.csv", ITEMS), write("u.csv", rows), write("e.csv", EVENTS))
    other = Files(write("i.jsonl", ITEMS), write("u.jsonl", USERS), write("e.jsonl", EVENTS))
    one, two = read_catalogue(files), read_catalogue(other)
    assert (one.items, one.users, list(one.interactions)) == (
        two.items,
        two.users,
        list(two.interactions),
    )


def test_two_files_are_told_apart(write) -> None:
    items, users, events = (
        write("i.csv", ITEMS),
        write("u.jsonl", USERS),
        write("e.parquet", EVENTS),
    )
    assert Files.named([items, events]) == Files(items, None, events)
    assert Files.named([items, users]) == Files(items, users, None)
    with pytest.raises(FileError, match="items file"):
        Files.named([])


def test_files_are_remembered(write, tmp_path) -> None:
    files = Files(write("i.csv", ITEMS), None, write("e.csv", EVENTS))
    files.save(tmp_path / "home" / "files.json")
    assert Files.load(tmp_path / "home" / "files.json") == files
    assert Files.load(tmp_path / "none.json") is None


def test_ids_of_mixed_type_are_one_id(write) -> None:
    items = write(
        "i.jsonl", [{"id": 1, "title": "A"}, {"id": "x", "title": "B"}, {"id": "1", "title": "C"}]
    )
    events = write("e.csv", [{"query": "q", "item_id": "1.0"}, {"query": "q", "item_id": "1"}])
    floats = write(
        "f.parquet", [{"id": 7, "history": [1.0]}], history=pyarrow.list_(pyarrow.float64())
    )
    found = read_catalogue(Files(items, floats, events))
    assert [item.title for item in found.items] == ["A", "B"]
    assert found.users[0].history == (1,)
    assert len(found.interactions) == 1
    assert reasons(found) == [
        ("i.jsonl", 3, "id", "an id that an earlier row has already"),
        ("e.csv", 1, "item_id", "an item that is not in the items file"),
    ]


def test_bad_rows_are_set_aside_and_listed_and_the_good_ones_go_in(write, tmp_path) -> None:
    items = write(
        "i.jsonl",
        [
            {
                "id": 1,
                "title": "Lamp\x00\x1b[2J with control",
                "price": math.nan,
                "tags": ["a", None, "a"],
            },
            {"id": None, "title": "No id"},
            {"id": 2, "title": "  "},
            {"id": 3, "title": "Fine", "text": {"a": 1}, "rating": 4.6},
            {"id": True, "title": "Odd"},
            {"id": 5, "title": "One"},
        ],
    )
    with items.open("ab") as stream:
        stream.write(b'{"id": 6, "title": "not UTF-8 \xff"}\n[1]\n\n{"id": 7, "tit')
    found = read_catalogue(Files(items), listing=tmp_path / "problems.jsonl")
    assert [item.title for item in found.items] == ["Lamp [2J with control", "Fine", "One"]
    assert found.items[0].fields == {"tags": ("a",)}
    assert found.counts == {"i.jsonl": {"rows": 3, "set_aside": 6}}
    kept = {(one.row, one.column): one.kept for one in found.problems}
    assert kept == {
        (1, "title"): True, (2, "id"): False, (3, "title"): False, (4, "text"): True,
        (4, "rating"): True, (5, "id"): False, (7, None): False, (8, None): False, (10, None): False,
    }  # fmt: skip
    listed = [json.loads(line) for line in (tmp_path / "problems.jsonl").read_text().splitlines()]
    assert len(listed) == 9
    assert all(one["mend"] and one["file"] == "i.jsonl" for one in listed)
    sentence = next(iter(found.problems)).sentence()
    assert sentence.startswith("i.jsonl, row 1, column title: control characters")


def test_interactions_that_point_nowhere_or_say_nothing(write) -> None:
    rows = [
        {"query": "lamp", "item_id": 99},
        {"query": "lamp", "item_id": 1, "time": 5},
        {"query": "lamp", "item_id": 1, "time": "2024-05-01"},
        {"query": "lamp", "item_id": 1, "time": "soon"},
        {"query": "lamp", "item_id": 1, "weight": -1},
        {"query": " ", "item_id": 1},
        {"query": "lamp", "item_id": 1, "user_id": True},
        {"item_id": 1, "user_id": "u"},
    ]
    found = read_catalogue(Files(write("i.jsonl", ITEMS), None, write("e.jsonl", rows)))
    assert [event.query for event in found.interactions] == ["lamp", ""]
    assert [(row, column) for _, row, column, _ in reasons(found)] == [
        (1, "item_id"), (3, "time"), (4, "time"), (5, "weight"), (6, "query"), (7, "user_id"),
    ]  # fmt: skip
    assert "number among dates" in reasons(found)[1][3]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pyarrow.timestamp("ns"), datetime(2024, 1, 1)),
        (pyarrow.timestamp("s", "Asia/Tokyo"), datetime(2024, 1, 1, tzinfo=UTC)),
        (pyarrow.date32(), date(2024, 1, 1)),
        (pyarrow.string(), "2024-01-01T00:00:00Z"),
        (pyarrow.int64(), 1704067200),
        (pyarrow.float32(), 1704067200.0),
    ],
)
def test_times_of_every_type_of_parquet(write, kind, value) -> None:
    events = write("e.parquet", [{"query": "q", "item_id": 1, "time": value}], time=kind)
    found = read_catalogue(Files(write("i.parquet", ITEMS), None, events))
    assert found.interactions[0].time == 1704067200.0


def test_types_of_parquet_that_data_frames_write(write) -> None:
    rows = [
        {
            "id": "a",
            "title": "A",
            "brand": "x",
            "sizes": [1, 2],
            "new": True,
            "price": 3.0,
            "pic": b".",
        }
    ]
    items = write(
        "i.parquet", rows,
        brand=pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), title=pyarrow.large_string(),
        sizes=pyarrow.large_list(pyarrow.int16()),
    )  # fmt: skip
    found = read_catalogue(Files(items))
    assert found.items[0].fields == {
        "brand": ("x",), "sizes": ("1", "2"), "new": ("yes",), "price": ("3",),
    }  # fmt: skip
    assert [(column, reason[:22]) for _, _, column, reason in reasons(found)] == [
        ("pic", "a column of type none ")
    ]


def test_files_that_cannot_be_used_are_refused_with_their_name(write, tmp_path) -> None:
    def refused(path, match: str) -> None:
        with pytest.raises(FileError, match=match) as caught:
            read_catalogue(Files(path))
        assert path.name in str(caught.value)

    refused(tmp_path / "none.parquet", "cannot be read: No such file")
    text = tmp_path / "text.parquet"
    text.write_text("id,title\n1,A\n")
    refused(text, "no Parquet file")
    whole = write("whole.parquet", ITEMS)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-100])
    refused(cut, "broken or truncated")
    odd = tmp_path / "odd.txt"
    odd.write_text("hello")
    refused(odd, "neither Parquet")
    packed = tmp_path / "i.jsonl.gz"
    packed.write_bytes(b"\x1f\x8b123")
    refused(packed, "packed")
    array = tmp_path / "array.json"
    array.write_text("[{}]")
    refused(array, "one JSON array")
    refused(
        write("untitled.parquet", [{"id": 1, "name": "A"}]),
        "no column `title`; its columns are id, name",
    )
    refused(
        write("typed.parquet", [{"id": 1, "title": ["A"]}]),
        "column `title`: its type is list of string",
    )
    refused(
        write("bad.jsonl", [{"id": 1, "title": ""}, {"id": 2, "title": None}]),
        "Not one of the 2 rows",
    )
    none = tmp_path / "none.jsonl"
    none.write_text("")
    refused(none, "no column `id`")
    refused(
        write(
            "empty.parquet",
            [{"id": 1, "title": "x"}][:0] or [],
        ),
        "no column `id`",
    )
    twice = tmp_path / "twice.csv"
    twice.write_text("id,title,title\n1,A,B\n")
    refused(twice, "a column twice")


def test_an_empty_file_of_interactions_is_no_error(write) -> None:
    schema = {"query": pyarrow.string(), "item_id": pyarrow.int64()}
    table = pyarrow.table({name: pyarrow.array([], kind) for name, kind in schema.items()})
    path = write("i.parquet", ITEMS).parent / "e.parquet"
    pyarrow.parquet.write_table(table, path)
    found = read_catalogue(Files(write("i.parquet", ITEMS), None, path))
    assert len(found.interactions) == 0
    assert list(found.interactions) == []


def test_interactions_of_another_shop_are_refused(write) -> None:
    events = write("e.parquet", [{"query": "q", "item_id": 10 + n} for n in range(5)])
    with pytest.raises(
        FileError, match=r"Not one of the 5 rows of e\.parquet .* not in the items file"
    ):
        read_catalogue(Files(write("i.parquet", ITEMS), None, events))


def test_a_damaged_part_of_a_parquet_file_leaves_the_others(write) -> None:
    rows = [{"id": n, "title": f"Item number {n} " + "x" * (n % 7)} for n in range(256)]
    path = write("i.parquet", rows)
    whole = pyarrow.parquet.ParquetFile(path).metadata.row_group(1).column(1)
    content = bytearray(path.read_bytes())
    start = whole.dictionary_page_offset or whole.data_page_offset
    content[start : start + whole.total_compressed_size] = b"\xff" * whole.total_compressed_size
    path.write_bytes(content)
    found = read_catalogue(Files(path))
    assert [found.ids.own(item.id) for item in found.items] == [
        str(n) for n in range(256) if not 64 <= n < 128
    ]
    assert found.counts["i.parquet"] == {"rows": 192, "set_aside": 64}
    assert {one.row for one in found.problems} == set(range(65, 129))


def test_users_with_ten_thousand_items_keep_the_newest(write) -> None:
    items = write("i.parquet", [{"id": n, "title": f"Item {n}"} for n in range(10_000)])
    users = write("u.parquet", [{"id": "u", "history": [*range(9_999, -1, -1), 5, 77_777]}])
    found = read_catalogue(Files(items, users))
    assert [found.ids.own(n) for n in found.users[0].history] == [
        str(n) for n in range(9_999, 9_999 - MOST_HISTORY, -1)
    ]
    assert [reason[:29] for *_, reason in reasons(found)] == [
        "items in the history that are", "a history of more than 1000 i",
    ]  # fmt: skip


def test_numbers_of_ids_stay_from_one_reading_to_the_next(write) -> None:
    one = read_catalogue(Files(write("i.csv", ITEMS)))
    before = dict(one.ids)
    later = [{"id": 9, "title": "New"}, *ITEMS[1:]]
    two = read_catalogue(Files(write("i.csv", later)), before=before)
    assert dict(two.ids) == {"9": 4, "2": 2, "3": 3}


def test_a_million_bad_values_are_counted_and_few_listed(write, tmp_path) -> None:
    rows = [{"id": n, "title": "Item", "rating": 4.5} for n in range(3000)]
    found = read_catalogue(Files(write("i.parquet", rows)), listing=tmp_path / "p.jsonl")
    assert found.problems.kinds()[0].count == 3000
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 1000
    assert len(found.items) == 3000


def test_lines_that_are_too_long_are_passed_over(write) -> None:
    path = write("i.jsonl", ITEMS[:1])
    with path.open("a") as stream:
        stream.write(json.dumps({"id": 8, "title": "x" * (17 << 20)}) + "\n")
        stream.write(json.dumps({"id": 9, "title": "Last"}) + "\n")
    found = read_catalogue(Files(path))
    assert [item.title for item in found.items] == ["Red lamp", "Last"]
    assert reasons(found) == [("i.jsonl", 2, None, "a line of more than 16 MiB")]


def test_odd_rows_of_csv(write) -> None:
    path = write("i.csv", ITEMS[:1])
    with path.open("ab") as stream:
        stream.write(b'2,Two\n3,"Caf\xe9",,,\n4,"Quo\nted",text,b,1\n\n5,"Open')
    found = read_catalogue(Files(path))
    assert [item.title for item in found.items] == ["Red lamp", "Quo ted"]
    assert [(row, reason[:14]) for _, row, _, reason in reasons(found)] == [
        (2, "another number"), (3, "not UTF-8"), (6, "another number"),
    ]  # fmt: skip


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12),
    st.lists(st.one_of(st.integers(0, 9), st.text(max_size=3)), max_size=4),
)  # fmt: skip
ROWS = st.lists(
    st.dictionaries(
        st.sampled_from(
            ["id", "title", "text", "names", "brand", "history", "query", "item_id", "time"]
        ),
        CELLS,
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=ROWS)
def test_every_row_goes_in_or_is_set_aside_with_its_number(tmp_path, rows) -> None:
    path = tmp_path / "rows.jsonl"
    good = {"id": "good", "title": "Good", "query": "good", "item_id": "good"}
    path.write_text("".join(json.dumps(row) + "\n" for row in [good, *rows]))
    found = read_catalogue(Files(path, path, path))
    numbers = range(1, len(rows) + 2)
    aside = [one for one in found.problems if not one.kept]
    assert all(one.row in numbers for one in found.problems)
    parts = (len(found.items), len(found.users), len(found.interactions))
    assert sum(parts) + len(aside) == 3 * len(numbers)
    assert len({item.id for item in found.items}) == len(found.items)
    known = {item.id for item in found.items}
    assert all(event.item_id in known for event in found.interactions)
    assert all(set(user.history) <= known for user in found.users)


def test_events_are_columns_and_texts_are_stored_once() -> None:
    number, users, queries = 50_000, 500, 100
    found = InteractionTable(
        [f"query {n}" for n in range(queries)],
        [f"user {n}" for n in range(users)],
        ["click"],
        np.arange(number, dtype=np.int32) % queries,
        np.arange(number, dtype=np.int64) % 1000,
        np.arange(number, dtype=np.int32) % users,
        np.zeros(number, np.int16),
        np.ones(number, np.float32),
        np.arange(number, dtype=np.float64),
    )
    assert found.nbytes == 30 * number
    assert found[-1] == Interaction("query 99", 999, "user 499", time=49_999.0)
    assert [event.item_id for event in found[5:8]] == [5, 6, 7]
    with pytest.raises(IndexError):
        found[number]


@given(st.one_of(st.text(), st.binary(), st.integers()))
def test_excerpts_are_short_and_printable(value) -> None:
    assert len(excerpt_of(value)) <= 200
    assert excerpt_of(value).isprintable() or "\ufffd" in excerpt_of(value)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=15)
GOOD = st.lists(
    st.fixed_dictionaries(
        {
            "id": WORDS,
            "title": WORDS,
            "text": st.one_of(st.none(), WORDS),
            "brand": st.one_of(st.none(), WORDS),
        }
    ),
    min_size=1,
    max_size=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=GOOD)
def test_every_format_says_the_same(tmp_path, rows) -> None:
    rows = [{"id": "first", "title": "First", "text": "t", "brand": "b"}, *rows]
    found = [
        read_catalogue(Files(write_rows(tmp_path / f"rows{suffix}", rows)))
        for suffix in (".parquet", ".jsonl", ".csv")
    ]
    assert found[0].items == found[1].items == found[2].items
    assert dict(found[0].ids) == dict(found[1].ids) == dict(found[2].ids)
    placed = [[(one.row, one.column, one.reason) for one in each.problems] for each in found]
    assert placed[0] == placed[1] == placed[2]
