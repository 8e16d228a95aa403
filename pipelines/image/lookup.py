"""Finding a model by what people call it. No torch."""

from __future__ import annotations

import difflib

from studio.api import Catalog, Fix, ModelBroken, ModelEntry, ModelMissing


def named(name: str, kind: str, field: str, catalog: Catalog) -> ModelEntry:
    """The entry by key, title or file name, large or small letters. Raises ModelMissing with near names, ModelBroken."""
    known = {each.lower(): entry for entry in catalog.entries(kind) for each in (entry.key.rpartition("/")[2], entry.title, entry.key)}
    entry = known.get(name.lower())
    if entry is None:
        near = list({known[word].key: known[word] for word in difflib.get_close_matches(name.lower(), known, 3, 0.5)}.values())
        titles = [one.title for one in near]
        fix = Fix.use(field, near[0].key, near[0].title) if near else left_out(field)
        raise ModelMissing(f"The model “{name}” is not on this computer.", hint=f"Did you mean {', '.join(titles)}?" if titles else "Choose another model, or add one in the Models tab.", field=field, fix=fix)
    if entry.problem:
        raise ModelBroken(f"“{entry.title}” can't be used: {entry.problem}", hint="Download it again, or leave it out.", field=field, fix=left_out(field))
    return entry


def left_out(field: str) -> Fix:
    return Fix({field: ""}, "Leave it out")
