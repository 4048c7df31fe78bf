"""Records fetched by their identifiers, from the few services that give them out, when somebody asks.

What comes is kept as a file of the site and read by the ordinary importer: the source of a statement is a
file that can be read again. Nothing here runs by itself.
"""
