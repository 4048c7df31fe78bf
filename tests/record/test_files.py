from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from peerscope.record import files
from peerscope.record.files import BlockStream, BrokenFileError, blocks, decoded, head, lines
from peerscope.record.importers import importer_for

CONTENT = b"".join(b"line %d\n" % n for n in range(50_000))


def packed(kind: str, content: bytes = CONTENT) -> bytes:
    if kind == "gzip":
        return gzip.compress(content)
    if kind == "zstd":
        return zstandard.compress(content)
    if kind == "two frames":
        half = len(content) // 2
        return zstandard.compress(content[:half]) + zstandard.compress(content[half:])
    if kind == "unknown size":
        out = io.BytesIO()
        with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as writer:
            writer.write(content)
        return out.getvalue()
    return content


KINDS = ["plain", "gzip", "zstd", "two frames", "unknown size"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_compression_is_recognised_by_content(tmp_path, kind) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(packed(kind))
    assert b"".join(blocks(path)) == CONTENT
    assert BlockStream(path).read() == CONTENT
    assert head(path, 100) == CONTENT[:100]
    found = list(lines(path))
    assert len(found) == 50_000
    assert found[777].content == b"line 777"
    assert all(CONTENT[one.offset :].startswith(one.content + b"\n") for one in found[::999])


@pytest.mark.parametrize("kind", ["gzip", "zstd", "unknown size"])
def test_a_truncated_file_gives_what_came_before_and_says_so(tmp_path, kind) -> None:
    path = tmp_path / "cut"
    whole = packed(kind)
    path.write_bytes(whole[: len(whole) // 2])
    seen = []
    with pytest.raises(BrokenFileError, match="breaks off"):
        seen.extend(one.content for one in lines(path))
    assert seen == [b"line %d" % n for n in range(len(seen))]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_not_unfolded(tmp_path, kind, monkeypatch) -> None:
    monkeypatch.setattr(files, "RATIO_FROM", 1 << 20)
    monkeypatch.setattr(files, "RATIO", 100)
    path = tmp_path / "bomb"
    path.write_bytes(packed(kind, bytes(64 << 20)))
    made = 0
    with pytest.raises(BrokenFileError, match="unfolds to more"):
        for block in blocks(path):
            made += len(block)
    assert made < 8 << 20


def test_a_line_of_two_hundred_megabytes_is_passed_over_in_bounded_memory(tmp_path) -> None:
    path = tmp_path / "long"
    with path.open("wb") as stream:
        stream.write(b"first\n[")
        for _ in range(200):
            stream.write(b"x" * (1 << 20))
        stream.write(b"]\nlast\n")
    tracemalloc.start()
    found = [(one.number, one.too_long, one.content[:10]) for one in lines(path)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[0] == (1, False, b"first")
    assert found[1][:2] == (2, True)
    assert found[2] == (3, False, b"last")
    assert peak < 40 << 20


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=20))
def test_lines_are_those_of_split(tmp_path_factory, parts) -> None:
    path = tmp_path_factory.mktemp("lines") / "f"
    content = b"".join(part + b"\n" for part in parts)
    path.write_bytes(content)
    if content[:2] != files.GZIP and content[:4] != files.ZSTD:
        assert [one.content for one in lines(path)] == parts


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded(content: bytes) -> None:
    assert isinstance(decoded(content), str)
    if content.isascii():
        assert decoded(content) == content.decode()


RECORDS = {
    "bib": "@article{{k{n}, title={{Work {n}}}, year={{2020}}}}\n\n",
    "ris": "TY  - JOUR\nID  - k{n}\nTI  - Work {n}\nPY  - 2020\nER  - \n\n",
    "json": '{{"id": "k{n}", "title": "Work {n}", "type": "article-journal"}}\n',
}


@pytest.mark.parametrize("suffix", RECORDS)
def test_a_compressed_bibliography_that_breaks_between_records_says_so(tmp_path, suffix) -> None:
    """Nothing of the text looks cut: only the compressed data knows that more was to come."""
    parts = [RECORDS[suffix].format(n=n).encode() for n in range(20)]
    packer = zlib.compressobj(wbits=31)
    content = packer.compress(b"".join(parts)) + packer.flush(zlib.Z_SYNC_FLUSH)
    path = tmp_path / f"works.{suffix}.gz"
    path.write_bytes(content)
    records = list(importer_for(str(path)).read(str(path)))
    assert [type(record).__name__ for record in records] == ["Good"] * 20 + ["Quarantined"]
    assert records[-1].position == 20
    assert "breaks off" in records[-1].reason
    path.write_bytes(content + packer.flush())
    assert len(list(importer_for(str(path)).read(str(path)))) == 20
