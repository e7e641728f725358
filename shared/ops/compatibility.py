"""Whether a contract may change like this: what was ever published stays readable, in both directions.

Records are kept for 35 days, so the new contract has to read every old record; and readers of the old contract, who
ignore what they do not know, have to read every new one. What is left is documentation and new optional fields;
anything else is a new type.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

DOCUMENTATION = frozenset({"$schema", "$defs", "$ref", "title", "description", "examples", "deprecated", "x-personal"})
UPPER = frozenset({"maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"})
LOWER = frozenset({"minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"})
UNIONS = frozenset({"anyOf", "oneOf", "allOf"})
INSIDE = {"items": "[]", "additionalProperties": ".*", "propertyNames": " (names)"}
OLD_RECORDS = "records that are kept would be refused"
OLD_READERS = "readers who know the old contract would refuse new records"


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One sentence for each change that breaks a reader, with the path of what changed; empty if there is none."""
    return list(_Comparison(old, new).of(old, new, ""))


@dataclass(frozen=True)
class _Comparison:
    old_document: Schema
    new_document: Schema

    def of(self, old: Any, new: Any, path: str) -> Iterator[str]:
        if not (isinstance(old, dict) and isinstance(new, dict)):
            if old != new:
                yield f"{path}: {old} became {new}"
            return
        old, new = _plain(old, self.old_document), _plain(new, self.new_document)
        yield from self._properties(old, new, path)
        for keyword in sorted((old.keys() | new.keys()) - DOCUMENTATION - {"properties", "required"}):
            yield from self._keyword(keyword, old, new, path)

    def _properties(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        had_to, has_to = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            here = f"{path}.{name}".lstrip(".")
            if name not in after:
                yield f"{here}: removed or renamed; {OLD_READERS if name in had_to else 'old readers would miss it'}"
                continue
            if name in had_to - has_to:
                yield f"{here}: no longer always there; {OLD_READERS}"
            if name in has_to - had_to:
                yield f"{here}: now required; {OLD_RECORDS}"
            yield from self.of(before[name], after[name], here)
        for name in sorted(has_to - before.keys()):
            yield f"{f'{path}.{name}'.lstrip('.')}: new and required; {OLD_RECORDS}"

    def _keyword(self, keyword: str, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get(keyword), new.get(keyword)
        if before == after and keyword not in {*UNIONS, *INSIDE, "patternProperties"}:
            return
        if keyword == "enum":
            yield from _enum(before, after, path)
        elif keyword in UPPER | LOWER:
            yield _bound(keyword, before, after, path)
        elif keyword in INSIDE and before is not None and after is not None:
            yield from self.of(before, after, f"{path}{INSIDE[keyword]}")
        elif keyword == "patternProperties" and before is not None and after is not None:
            yield from self._pattern_properties(before, after, path)
        elif keyword in UNIONS and before is not None and after is not None:
            yield from self._union(before, after, path)
        elif keyword == "default":
            yield f"{path}: default {before!r} became {after!r}; records without it would mean something else"
        else:
            yield f"{path}: {keyword} {before!r} became {after!r}"

    def _pattern_properties(self, before: Schema, after: Schema, path: str) -> Iterator[str]:
        if before.keys() != after.keys():
            yield f"{path}: allowed names {sorted(before)} became {sorted(after)}"
            return
        for pattern, schema in before.items():
            yield from self.of(schema, after[pattern], f"{path}.*")

    def _union(self, before: list[Schema], after: list[Schema], path: str) -> Iterator[str]:
        olds, news = _by_kind(before, self.old_document), _by_kind(after, self.new_document)
        for kind in sorted(olds.keys() - news.keys()):
            yield f"{path}: can no longer be {kind}; {OLD_RECORDS}"
        for kind in sorted(news.keys() - olds.keys()):
            yield f"{path}: can now be {kind}; {OLD_READERS}"
        for kind in sorted(olds.keys() & news.keys()):
            yield from self.of(olds[kind], news[kind], path)


def _plain(schema: Schema, document: Schema) -> Schema:
    """The schema with its reference followed, and a constant as an enumeration of one."""
    while "$ref" in schema:
        target = document["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        schema = {**target, **{keyword: value for keyword, value in schema.items() if keyword != "$ref"}}
    if "const" in schema:
        schema = {**schema, "enum": [schema["const"]]}
        del schema["const"]
    return schema


def _by_kind(branches: list[Schema], document: Schema) -> dict[str, Schema]:
    """The branches of a union by their type, and by their title too where they would be mistaken for each other."""
    plain = [_plain(branch, document) for branch in branches]
    kinds = [str(branch.get("type", "anything")) + branch.get("format", "") for branch in plain]
    names = [
        f"{kind} {branch.get('title')}" if kinds.count(kind) > 1 else kind
        for kind, branch in zip(kinds, plain, strict=True)
    ]
    return dict(zip(names, branches, strict=True))


def _enum(before: list[Any] | None, after: list[Any] | None, path: str) -> Iterator[str]:
    if before is None or after is None:
        yield f"{path}: values {before} became {after}; {OLD_READERS if after is None else OLD_RECORDS}"
        return
    for value in before:
        if value not in after:
            yield f"{path}: {value!r} is no longer allowed; {OLD_RECORDS}"
    for value in after:
        if value not in before:
            yield f"{path}: {value!r} is new; {OLD_READERS}"


def _bound(keyword: str, before: float | None, after: float | None, path: str) -> str:
    absent = float("inf") if keyword in UPPER else float("-inf")
    was, becomes = (absent if bound is None else bound for bound in (before, after))
    narrower = becomes < was if keyword in UPPER else becomes > was
    return f"{path}: {keyword} {before} became {after}; {OLD_RECORDS if narrower else OLD_READERS}"
