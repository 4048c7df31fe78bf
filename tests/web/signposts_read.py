"""Run by the validators' own Python: what the package `signposting` finds at an address, as JSON."""

import json
import sys

from signposting import find_signposting_http, find_signposting_linkset

found = find_signposting_http(sys.argv[1])
links = found.linksets
more = find_signposting_linkset(next(iter(links)).target).for_context(sys.argv[1])


def plain(one):
    return {
        "citeAs": one.citeAs and str(one.citeAs.target),
        "authors": sorted(str(a.target) for a in one.authors),
        "types": sorted(str(a.target) for a in one.types),
        "describedBy": sorted([str(a.target), str(a.type)] for a in one.describedBy),
        "items": sorted(str(a.target) for a in one.items),
    }


print(json.dumps({"header": plain(found), "linkset": plain(more)}))
