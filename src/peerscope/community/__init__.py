"""Accounts, proofs and what they allow; the trust snapshot of a person.

Nothing here knows pages, and nothing here imports the room beside it (`peerscope.reproduce`): what that room
knows is handed over as plain rows.
"""
