"""Registries: what there is of a kind, found where it is declared, here and in the packages of users."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module, metadata
from pkgutil import walk_packages
from typing import Any, Final, Generic, TypeVar

from sage_select.errors import ResourceError, UsageError, nearest
from sage_select.pipeline.option import option_of
from sage_select.pipeline.settings import Settings

__all__ = ["Registry"]

MemberT = TypeVar("MemberT", bound=Settings)

#: What stands for something else on every command line, in every call of `select`, or in every class of settings.
_RESERVED: Final = frozenset(
    {"balance", "data", "dry_run", "explain", "force", "help", "json", "k", "name", "options", "overwrite_foreign"}
    | {"progress", "quiet", "seed", "spec", "stage", "steps", "threads", "verify", "version"}
    | {name for name in dir(Settings) if not name.startswith("_")}
)


class Registry(Mapping[str, type[MemberT]], Generic[MemberT]):
    """The members of a kind by name, such as all strategies.

    A member registers itself with the decorator `register`. All modules of a package are looked into when the registry
    is first asked, and then what other packages declare as entry points of the same name, so that adding a
    member is adding a file.

    Parameters
    ----------
    kind
        What messages call a member: strategy.
    package
        The package whose modules declare the members, and the group of entry points of others.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.group = package
        self._members: dict[str, type[MemberT]] = {}
        self._found = False

    @property
    def kinds(self) -> str:
        """What messages call several members."""
        return f"{self.kind[:-1]}ies" if self.kind.endswith("y") else f"{self.kind}s"

    def register(self, name: str, **traits: Any) -> Callable[[type[MemberT]], type[MemberT]]:
        """Return a decorator that registers a class under `name`.

        Parameters
        ----------
        name
            What specs and the command line call it.
        **traits
            Class attributes that its base declares.
        """

        def registered(member: type[MemberT]) -> type[MemberT]:
            known = self._members.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (member.__module__, member.__qualname__):
                raise ValueError(f"two classes are called {self.kind} {name!r}: {known!r} and {member!r}")
            if not (member.__doc__ or "").strip():
                raise ValueError(f"{self.kind} {name!r} has no docstring: its first line is its help")
            for setting, info in member.model_fields.items():
                if option_of(info) is None and setting not in member.choices():
                    raise ValueError(f"{setting!r} of {self.kind} {name!r} has no Option, which says what it is for")
                if setting in _RESERVED:
                    raise ValueError(f"{setting!r} of {self.kind} {name!r} is a name that stands for something else")
            for trait, value in {"name": name, "kind": self.kind, **traits}.items():
                if not any(trait in getattr(base, "__annotations__", {}) for base in member.__mro__):
                    raise ValueError(f"a {self.kind} has no attribute {trait!r}")
                if isinstance(value, str) and isinstance(getattr(member, trait), frozenset | tuple):
                    raise ValueError(f"{trait!r} of {self.kind} {name!r} is a set of names, not {value!r}")
                setattr(member, trait, value)
            self._members[name] = member
            return member

        return registered

    def __getitem__(self, name: str) -> type[MemberT]:
        self._find()
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        self._find()
        return iter(sorted(self._members, key=lambda name: (self._members[name].place, name)))

    def __len__(self) -> int:
        self._find()
        return len(self._members)

    def __hash__(self) -> int:
        return id(self)

    def need(self, name: object) -> type[MemberT]:
        """Return the member of this name.

        Raises
        ------
        UsageError
            If there is none, with the nearest.
        """
        member = self.get(name) if isinstance(name, str) else None
        if member is None:
            hint = nearest(name, list(self)) if isinstance(name, str) else None
            raise UsageError(
                f"unknown {self.kind} {name!r}, known are {', '.join(self)}" + (f"; {hint}" if hint else "")
            )
        return member

    def _find(self) -> None:
        if self._found:
            return
        self._found = True
        package = import_module(self.group)
        for module in walk_packages(package.__path__, f"{self.group}."):
            import_module(module.name)
        for entry in metadata.entry_points(group=self.group):
            owner = entry.dist.name if entry.dist is not None else entry.value
            try:
                loaded = entry.load()
                if not any(loaded is member for member in self._members.values()):
                    raise ValueError(f"it is no {self.kind}: the class is registered by @{self.kind}({entry.name!r})")
            except Exception as error:
                self._found = False
                raise ResourceError(
                    f"the {self.kind} {entry.name!r} of the package {owner} cannot be loaded",
                    where=entry.value,
                    got=f"{type(error).__name__}: {error}",
                    hint=f"mend the package, or take it out: pip uninstall {owner}",
                ) from error
