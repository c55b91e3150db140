"""Loads the source of a component as a module."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

# What the SDK puts before each lightweight component.
_PROLOGUE = b"import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n"
_STAR = b"from typing import *\n"
# All that the star brings, in any version of Python up to _KNOWN.
_KNOWN = (3, 14)
_TYPING = frozenset(
    """
    AbstractSet Annotated Any AnyStr AsyncContextManager AsyncGenerator AsyncIterable
    AsyncIterator Awaitable BinaryIO ByteString Callable ChainMap ClassVar Collection Concatenate
    Container ContextManager Coroutine Counter DefaultDict Deque Dict Final ForwardRef FrozenSet
    Generator Generic Hashable IO ItemsView Iterable Iterator KeysView List Literal LiteralString
    Mapping MappingView Match MutableMapping MutableSequence MutableSet NamedTuple Never NewType
    NoDefault NoReturn NotRequired Optional OrderedDict ParamSpec ParamSpecArgs ParamSpecKwargs
    Pattern Protocol ReadOnly Required Reversible Self Sequence Set Sized SupportsAbs
    SupportsBytes SupportsComplex SupportsFloat SupportsIndex SupportsInt SupportsRound
    TYPE_CHECKING Text TextIO Tuple Type TypeAlias TypeAliasType TypeGuard TypeIs TypeVar
    TypeVarTuple TypedDict Union Unpack ValuesView assert_never assert_type cast clear_overloads
    dataclass_transform evaluate_forward_ref final get_args get_origin get_overloads
    get_protocol_members get_type_hints is_protocol is_typeddict no_type_check
    no_type_check_decorator overload override reveal_type runtime_checkable
    """.split()
)
# Ways to reach a name that the code does not spell out.
_DYNAMIC = frozenset("__builtins__ __dict__ dir eval exec globals locals modules vars".split())


def load_source(path: str) -> ModuleType:
    """Runs the file as a module that is named after it, with its folder first on sys.path.

    Named and on the path, so that a child process can import what it must unpickle. The code is not
    cached on disk: a step's source is run once, in a folder of its own.
    """
    path = os.path.abspath(path)
    folder, file = os.path.split(path)
    name = file[: -len(".py")] if file.endswith(".py") else file
    with open(path, "rb") as opened:
        source = opened.read()
    module = _make_module(name, path)
    namespace = module.__dict__
    sys.modules[name] = module
    sys.path.insert(0, folder)
    exec(_compile(source, path, namespace), namespace)
    return module


def _make_module(name: str, path: str) -> ModuleType:
    # The classes that loaded this very file: they cost no import.
    this_loader: Any = __loader__  # type: ignore[name-defined]
    loader = type(this_loader)(name, path)
    spec = type(__spec__)(name, loader, origin=path)  # type: ignore[misc]
    spec.has_location = True
    module = type(sys)(name)
    module.__file__, module.__spec__, module.__loader__ = path, spec, loader
    return module


def _compile(source: bytes, path: str, namespace: dict[str, Any]) -> CodeType:
    """The code, without the prologue's import of typing (10 ms) where nothing of typing is used."""
    before, prologue, after = source.partition(_PROLOGUE)
    if not prologue or before.strip() or sys.version_info[:2] > _KNOWN:
        return compile(source, path, "exec", dont_inherit=True)
    # An empty line keeps the line numbers.
    source = before + prologue[: -len(_STAR)] + b"\n" + after
    code = compile(source, path, "exec", dont_inherit=True)
    names = _names(code)
    if not names.isdisjoint(_TYPING) or not names.isdisjoint(_DYNAMIC):
        exec("from typing import *", namespace)
    return code


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            names |= _names(constant)
    return names
