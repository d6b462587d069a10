"""YAML into a model, or an error that names file, line, key and nearest match."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from snowmelt.errors import ConfigError
from snowmelt.pipe.file_format import FORMATS

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load_model(
    path: Path,
    model: type[Model],
    shown_as: str,
    context: dict[str, Any] | None = None,
    *,
    deferred: tuple[str, ...] = (),
) -> Model:
    """Read one YAML file into a model.

    `${NAME}` and `${NAME:-default}` in texts are taken from the environment; below
    `deferred` keys they stand as they are, to be read when they are used.

    Raises ConfigError naming the file, the line and the key: for what is not YAML,
    for unknown keys (with the nearest known one), for wrong values.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(shown_as, "the file is missing") from None
    except UnicodeDecodeError as error:
        raise ConfigError(shown_as, f"not UTF-8 at byte {error.start}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{shown_as}:{line}", f"not YAML: {error.problem}") from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{shown_as}:1", "expected keys and values")
    _refuse_repeated(node, shown_as)
    try:
        content = _interpolate_all_but(yaml.safe_load(text), deferred)
    except KeyError as error:
        line = _line_of_text(text, f"${{{error.args[0]}")
        raise ConfigError(
            f"{shown_as}:{line}",
            f"the environment has no {error.args[0]}",
            f"Set it, or write ${{{error.args[0]}:-default}}.",
        ) from None
    try:
        return model.model_validate(content, context=context)
    except ValidationError as error:
        # an unknown key first: it is often why another one is missing
        found = sorted(error.errors(), key=lambda each: each["type"] == "missing")
        problems = [_describe(each, node, model, shown_as) for each in found]
        first = problems[0]
        if len(problems) > 1:
            rest = "\n".join(str(problem) for problem in problems[1:])
            first.remedy = f"{first.remedy}\n{rest}".strip()
        raise first from None


def line_of_key(path: Path, location: Location) -> int:
    """Return the line of a key of a file that was read before."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    return _line_of(node, location)[0] if node is not None else 1


def place_of(path: Path, location: Location, shown_as: str) -> str:
    """Return where a key of a file that was read stands: file, line and key."""
    line = line_of_key(path, location)
    return f"{shown_as}:{line}: {'.'.join(str(part) for part in location)}"


def _describe(
    error: ErrorDetails, node: yaml.Node, model: type[BaseModel], shown_as: str
) -> ConfigError:
    location = tuple(part for part in error["loc"] if part not in FORMATS)
    line, key = _line_of(node, location)
    dotted = ".".join(str(part) for part in location)
    where = f"{shown_as}:{line}: {dotted}" if dotted else f"{shown_as}:{line}"
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        near = difflib.get_close_matches(str(key), known, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
        return ConfigError(where, "unknown key", remedy)
    if error["type"] == "missing":
        return ConfigError(where, "this key is required")
    message = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    is_shown = isinstance(given, str | int | float)
    is_shown = is_shown and not _may_be_secret(node, model, location)
    shown = f" (given: {given!r})" if is_shown else ""
    return ConfigError(where, f"{message[:1].lower()}{message[1:]}{shown}")


def _line_of(node: yaml.Node, location: Location) -> tuple[int, int | str]:
    """Return the line, from 1, of a key, or of what should hold a missing one."""
    line = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((kv for kv in node.value if kv[0].value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line, location[-1] if location else ""


def _line_of_text(text: str, part: str) -> int:
    return text[: max(text.find(part), 0)].count("\n") + 1


def _may_be_secret(node: yaml.Node, model: type[BaseModel], location: Location) -> bool:
    """Is a value one that no error may show: secret by its key, or not in the file?"""
    if "SecretStr" in str(_annotation_at(model, location)):
        return True
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [value for key, value in node.value if key.value == str(part)]
            node = found[0] if found else node
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
    return isinstance(node, yaml.ScalarNode) and bool(_VARIABLE.search(node.value))


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that the model at a location knows."""
    found = _models_in(_annotation_at(model, location))
    if not found:
        return []
    return [field.alias or name for name, field in found[0].model_fields.items()]


def _annotation_at(model: type[BaseModel], location: Location) -> Any:
    """Return the type of what stands at a location; None where the model has none."""
    at: Any = model
    for part in location:
        models = _models_in(at) if not _is_mapping(at) else []
        if models and isinstance(part, str):
            fields = {
                name: field
                for known, each in models[0].model_fields.items()
                for name, field in ((known, each), (each.alias, each))
            }
            field = fields.get(part)
            at = None if field is None else (field.annotation, *field.metadata)
        elif _is_mapping(at):
            at = _value_of(at)
    return at


def _is_mapping(at: Any) -> bool:
    return any(get_origin(each) is dict for each in _parts_of(at))


def _value_of(at: Any) -> Any:
    return next(get_args(e)[1] for e in _parts_of(at) if get_origin(e) is dict)


def _parts_of(at: Any) -> tuple[Any, ...]:
    return at if isinstance(at, tuple) else (at,)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, tuple):
        return [found for each in annotation for found in _models_in(each)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [found for each in inner for found in _models_in(each)]


def _refuse_repeated(node: yaml.Node, shown_as: str) -> None:
    """Raise ConfigError for a key that is there twice: YAML would drop the first."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise ConfigError(f"{shown_as}:{line}: {key.value}", "the key is twice")
            seen.add(key.value)
            _refuse_repeated(value, shown_as)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated(value, shown_as)


def _interpolate_all_but(content: dict[str, Any], deferred: tuple[str, ...]) -> Any:
    return {
        key: value if key in deferred else _interpolate(value)
        for key, value in content.items()
    }


def _interpolate(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _interpolate(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_interpolate(value) for value in content]
    if isinstance(content, str):
        return _VARIABLE.sub(_variable, content)
    return content


def _variable(match: re.Match[str]) -> str:
    name, default = match.groups()
    if default is not None:
        return os.environ.get(name, default)
    return os.environ[name]
