"""What a function returned, against what it declares, and the file that tells the engine."""

from __future__ import annotations

import os

from kfp.dsl import _json
from kfp.dsl._errors import ContractError, OutputTypeError
from kfp.dsl._signature import resolve
from kfp.dsl.types.type_annotations import (
    is_artifact_class,
    maybe_strip_optional_from_annotation,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kfp.dsl._signature import Signature

_SINGLE = "Output"
_CHIEFS = ("chief", "master", "workerpool0")
# float takes int too. bool stands before int, whose subclass it is.
_PARAMETER_TYPES = {
    bool: (bool,),
    int: (int,),
    float: (float, int),
    str: (str,),
    dict: (dict,),
    list: (list,),
}


def collect(
    result: Any, signature: Signature, namespace: dict[str, Any], artifacts: dict[str, Any]
) -> dict[str, Any]:
    """Parameter values by output name. Artifact outputs are written or replaced in `artifacts`."""
    declared = signature.returns
    values: dict[str, Any] = {}
    if declared is None or declared is type(None):
        if result is not None:
            raise OutputTypeError(
                f"function {signature.name!r} returned {_kind(result)} but declares no return type"
            )
    elif _is_named_tuple(declared):
        for name, value in _fields(result, declared, signature.name):
            annotation = resolve(getattr(declared, "__annotations__", {}).get(name), namespace)
            _put(name, annotation, value, signature.name, values, artifacts)
    else:
        _put(_SINGLE, declared, result, signature.name, values, artifacts)
    return values


def _is_named_tuple(declared: Any) -> bool:
    return (
        isinstance(declared, type) and issubclass(declared, tuple) and hasattr(declared, "_fields")
    )


def _fields(result: Any, declared: Any, function: str) -> list[tuple[str, Any]]:
    names = declared._fields
    if not isinstance(result, tuple) or len(result) != len(names):
        size = f" of {len(result)}" if isinstance(result, tuple) else ""
        raise OutputTypeError(
            f"function {function!r} declares a NamedTuple of {len(names)} outputs "
            f"({', '.join(names)}) but returned {_kind(result)}{size}"
        )
    if set(getattr(result, "_fields", ())) == set(names):
        return [(name, getattr(result, name)) for name in names]
    return list(zip(names, result))


def _put(
    name: str,
    annotation: Any,
    value: Any,
    function: str,
    values: dict[str, Any],
    artifacts: dict[str, Any],
) -> None:
    if is_artifact_class(annotation) or name in artifacts:
        if value is not None:
            _put_artifact(name, value, function, artifacts)
        return
    declared = maybe_strip_optional_from_annotation(annotation)
    if value is None and declared is not annotation:
        values[name] = None
    else:
        values[name] = _checked(name, declared, value, function)


def _checked(name: str, declared: Any, value: Any, function: str) -> Any:
    base = getattr(declared, "__origin__", None) or declared
    if isinstance(base, type):
        if is_model(base):
            if not isinstance(value, base):
                raise _mismatch(name, base.__name__, value, function)
            return _dump(value)
        for kind, accepted in _PARAMETER_TYPES.items():
            if issubclass(base, kind):
                if not isinstance(value, accepted):
                    raise _mismatch(name, kind.__name__, value, function)
                # True is an int to Python, but not to JSON.
                return int(value) if isinstance(value, bool) and kind is not bool else value
    if value is None:
        raise _mismatch(name, str(declared), value, function)
    return value


def _mismatch(name: str, declared: str, value: Any, function: str) -> OutputTypeError:
    hint = "; return its .item()" if hasattr(value, "item") else ""
    return OutputTypeError(
        f"output {name!r} of function {function!r} is declared {declared}, "
        f"but the function returned {_kind(value)}{hint}"
    )


def _kind(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def is_model(cls: Any) -> bool:
    """A pydantic model class, of either major version, without importing pydantic."""
    return hasattr(cls, "__fields__") and hasattr(cls, "parse_obj")


def _dump(model: Any) -> Any:
    if hasattr(model, "model_dump"):
        return model.model_dump(mode="json")
    return _json.loads(model.json())


def _put_artifact(name: str, value: Any, function: str, artifacts: dict[str, Any]) -> None:
    assigned = artifacts.get(name)
    if all(_is_artifact(one) for one in _as_list(value)):
        if _is_artifact(value) and _is_artifact(assigned):
            value.uri = value.uri or assigned.uri
            value.name = value.name or assigned.name
        artifacts[name] = value
        return
    if not _is_artifact(assigned):
        raise ContractError(
            f"the executor input gives no place for output {name!r} of {function!r}"
        )
    payload = bytes(value) if isinstance(value, (bytes, bytearray)) else str(value).encode()
    os.makedirs(os.path.dirname(assigned.path), exist_ok=True)
    with open(assigned.path, "wb") as file:
        file.write(payload)


def _is_artifact(value: Any) -> bool:
    return is_artifact_class(value) and hasattr(value, "uri") and hasattr(value, "metadata")


def _as_list(artifact: Any) -> list[Any]:
    if isinstance(artifact, list):
        return artifact
    return [] if artifact is None else [artifact]


def is_chief(cluster_spec: str | None) -> bool:
    """False on all workers of a mirrored training but the one that writes the outputs."""
    if not cluster_spec:
        return True
    try:
        spec = _json.loads(cluster_spec)
        kind, index = spec["task"]["type"], int(spec["task"].get("index") or 0)
        kinds = spec.get("cluster") or {}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ContractError("the environment variable CLUSTER_SPEC is not a cluster spec") from None
    if kind in _CHIEFS:
        return True
    return kind == "worker" and index == 0 and not any(chief in kinds for chief in _CHIEFS)


def write(path: str, values: dict[str, Any], artifacts: dict[str, Any]) -> None:
    """Writes the file in one step: a reader sees all of it or none."""
    output: dict[str, Any] = {}
    if values:
        output["parameterValues"] = values
    if artifacts:
        output["artifacts"] = {
            name: {"artifacts": [_entry(one) for one in _as_list(artifact)]}
            for name, artifact in artifacts.items()
        }
    text = _to_json(output)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    partial = f"{path}.{os.getpid()}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(partial, path)


def _entry(artifact: Any) -> dict[str, Any]:
    uri = os.fspath(artifact.uri)
    entry = {
        "name": artifact.name,
        "uri": "file://" + uri if uri.startswith("/") else uri,
        "metadata": artifact.metadata,
    }
    custom_path = getattr(artifact, "custom_path", "")
    if custom_path:
        entry["custom_path"] = os.fspath(custom_path)
    return entry


def _to_json(output: dict[str, Any]) -> str:
    try:
        return _json.dumps(output, default=_plain)
    except (ValueError, TypeError, RecursionError):
        pass
    import json

    # Slow, and only when something does not fit: metadata may hold NaN, which becomes text; a value
    # may not.
    for name, value in output.get("parameterValues", {}).items():
        _encode(name, value)
    for name, entry in output.get("artifacts", {}).items():
        for one in entry["artifacts"]:
            text = _encode(name, one["metadata"], allow_nan=True)
            one["metadata"] = json.loads(text, parse_constant=str)
    return _json.dumps(output, default=_plain)


def _encode(name: str, value: Any, allow_nan: bool = False) -> str:
    import json

    try:
        return json.dumps(value, allow_nan=allow_nan, default=_plain)
    except (ValueError, TypeError, RecursionError) as error:
        raise ContractError(f"output {name!r} cannot be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    """JSON for what is not JSON itself: numbers and arrays of numpy and torch, models, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if is_model(type(value)):
        return _dump(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{_kind(value)} has no JSON form")
