"""DPSR from three files: items, users and interactions in, a searchable bundle out, in the files' own ids.

Reading and checking, the ids' numbers, what is held out and measured, live changes, and bundles in service
by name. Commands and HTTP live elsewhere.
"""
