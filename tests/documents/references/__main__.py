"""Writes the references; arguments name some, with or without the ending."""

import sys

from tests.documents.references import REFERENCES, path_of

_named = set(sys.argv[1:])
if unknown := _named - {known for name in REFERENCES for known in (name, name.partition(".")[0])}:
    sys.exit(f"{', '.join(sorted(unknown))}: no such reference. There are {', '.join(REFERENCES)}.")
for _name, _make in REFERENCES.items():
    if not _named or _named & {_name, _name.partition(".")[0]}:
        path_of(_name).write_text(_make())
