"""The code of the protocols, one module each: run by name, imported by nothing.

They import `peerscope.methods` and `peerscope.retrieval`, never the record, so that a machine with PyTorch
and NumPy runs them (those of DPSR need the platform's packages):
``python -m peerscope.reproduce.protocols.NAME --out DIR``.
"""
