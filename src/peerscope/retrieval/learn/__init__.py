"""The training half of retrieval: pairs in, towers out. The only part of the room that imports torch."""
