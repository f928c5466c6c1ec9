"""Pydantic models as tables: fields, types and docstrings are read in the source that defines them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from types import ModuleType

from griffe import Docstring, DocstringSectionKind
from pydantic import BaseModel

import fairaudit.plan
import fairaudit.plan_parts
import fairaudit.results


def results() -> str:
    """Every model of results.json, the whole first."""
    return _describe([fairaudit.results], "Results")


def plan() -> str:
    """Every model of plan.yaml, the whole first."""
    return _describe([fairaudit.plan, fairaudit.plan_parts], "AuditPlan")


def _describe(modules: list[ModuleType], first: str) -> str:
    found = {
        name: model
        for module in modules
        for name, model in vars(module).items()
        if inspect.isclass(model)
        and issubclass(model, BaseModel)
        and model.__module__.startswith("fairaudit.")
        and not name.startswith("_")
        and model.model_fields
    }
    ordered = {first: found[first]} | found
    return "\n".join(line for model in ordered.values() for line in _chapter(model, ordered))


def _chapter(model: type[BaseModel], known: Mapping[str, type[BaseModel]]) -> Iterator[str]:
    node = ast.parse(inspect.getsource(model)).body[0]
    assert isinstance(node, ast.ClassDef)
    prose, said = _documented(model)
    yield from (f"## {model.__name__}", "", prose, "")
    for base in model.__bases__:
        if base.__name__ in known:
            yield from (f"All fields of [{base.__name__}](#{base.__name__.lower()}), and:", "")
    yield from ("| field | type | meaning |", "|---|---|---|")
    for position, line in enumerate(node.body):
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        field = model.model_fields.get(line.target.id)
        if field is None:
            continue
        meaning = said.get(line.target.id) or _docstring_after(node.body, position)
        if not field.is_required() and field.default is not None and field.default not in ("", {}, [], ()):
            meaning = f"{meaning} [default: {_plain(field.default)}]".strip()
        name = field.alias or line.target.id
        yield f"| `{name}` | {_linked(ast.unparse(line.annotation), known)} | {meaning} |"
    yield ""


def _documented(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """The prose of a class, and what it says of its attributes."""
    sections = Docstring(inspect.getdoc(model) or "", parser="numpy").parse()
    prose = [section.value for section in sections if section.kind is DocstringSectionKind.text]
    said = {
        name.strip(): _cell(attribute.description)
        for section in sections
        if section.kind is DocstringSectionKind.attributes
        for attribute in section.value
        for name in attribute.name.split(",")
    }
    return _code("\n\n".join(prose)), said


def _docstring_after(body: list[ast.stmt], position: int) -> str:
    following = body[position + 1] if position + 1 < len(body) else None
    if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
        return _cell(str(following.value.value))
    return ""


def _plain(default: object) -> str:
    return type(default).__name__ if isinstance(default, BaseModel | tuple) else str(default)


def _cell(text: str) -> str:
    return _code(" ".join(text.split())).replace("|", r"\|")


def _code(text: str) -> str:
    return text.replace("``", "`")


def _linked(annotation: str, known: Mapping[str, type[BaseModel]]) -> str:
    """A type, with the models in it as links to their chapters."""
    text = annotation.replace("|", r"\|")
    pieces = re.split(rf"\b({'|'.join(known)})\b", text)
    return "".join(
        f"[{piece}](#{piece.lower()})" if piece in known else piece.replace("[", r"\[").replace("]", r"\]")
        for piece in pieces
    )
