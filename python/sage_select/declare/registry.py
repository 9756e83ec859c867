"""Registries: what there is of a kind, found where it is declared, here and in the packages of users."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from importlib import import_module
from importlib.metadata import EntryPoint
from pkgutil import walk_packages
from typing import Any, ClassVar, Generic, TypeVar

from sage_select.declare.checks import declare
from sage_select.declare.others import GROUPS, VALUE_GROUPS, LeftOut, Owner, entries, owner_of, reason_of
from sage_select.declare.settings import Settings
from sage_select.errors import ResourceError, UsageError, nearest

__all__ = ["Registry", "declared_elsewhere", "left_out", "missing_members", "unversioned"]

MemberT = TypeVar("MemberT", bound=Settings)


class Registry(Mapping[str, type[MemberT]], Generic[MemberT]):
    """The members of a kind by name, such as all strategies.

    A member registers itself with the decorator `register`. All modules of a package are looked into when the registry
    is first asked, and then what other packages declare as entry points of the same name, so that adding a
    member is adding a file. What another package declares and cannot be used is left out: it is an error only where it
    is named.

    Parameters
    ----------
    kind
        What messages call a member: strategy.
    package
        The package whose modules declare the members, and the group of entry points of others.
    base
        The class of which members are subclasses; it declares the class attributes that say what one is.
    clashes
        Function from all members, and the one that came last, to those of the registry, or of registries whose members
        they hold, that cannot stand beside the others, and why.
    """

    #: All there are, in the order in which they were made.
    every: ClassVar[list[Registry[Any]]] = []
    #: Those whose members of other packages are still to be loaded, and whether some are being loaded.
    waiting: ClassVar[list[Registry[Any]]] = []
    loading: ClassVar[bool] = False

    def __init__(
        self,
        kind: str,
        package: str,
        base: type[Any],
        clashes: Callable[..., Mapping[type[Settings], str]] | None = None,
    ) -> None:
        self.kind = kind
        self.group = package
        self.base: Any = base
        self._clashes = clashes
        self._members: dict[str, type[MemberT]] = {}
        self._owners: dict[str, Owner] = {}
        self._left_out: dict[str, LeftOut] = {}
        self._found = self._settled = False
        Registry.every.append(self)

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

        Raises
        ------
        UsageError
            By the decorator: if the class is not declared as such a member is, or its options clash with others.
        """

        def registered(member: type[MemberT]) -> type[MemberT]:
            declare(self, name, member, traits)
            known = self._members.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (member.__module__, member.__qualname__):
                raise UsageError(
                    f"there is a {self.kind} {name!r} already",
                    expected="a name of its own",
                    got=f"{known.__module__}.{known.__qualname__} and {member.__module__}.{member.__qualname__}",
                )
            self._members[name] = member
            try:
                self._refuse_late_clash(member)
            except UsageError:
                del self._members[name]
                raise
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

    def __eq__(self, other: object) -> bool:
        return self is other

    def need(self, name: object) -> type[MemberT]:
        """Return the member of this name.

        Raises
        ------
        UsageError
            If there is none, with the nearest.
        ResourceError
            If it was left out, with the reason.
        """
        member = self.get(name) if isinstance(name, str) else None
        if member is None:
            self.refuse_left_out(name)
            hint = nearest(name, list(self)) if isinstance(name, str) else None
            hint = hint or "is the package that declares it installed?"
            raise UsageError(f"unknown {self.kind} {name!r}, known are {', '.join(self)}; {hint}")
        return member

    def refuse_left_out(self, name: object) -> None:
        """Raise where a member of this name was left out.

        Raises
        ------
        ResourceError
            As said, with the reason.
        """
        self._find()
        one = self._left_out.get(name) if isinstance(name, str) else None
        if one is not None:
            raise ResourceError(
                f"the {self.kind} {name!r} of the package {one.package} was left out",
                got=one.reason,
                hint=f"mend the package, or take it out: pip uninstall {one.package}",
            )

    def loaded(self) -> list[type[MemberT]]:
        """Return the members that are known by now; nothing is looked for."""
        return list(self._members.values())

    def left_out(self) -> list[LeftOut]:
        """Return what other packages declare and cannot be used."""
        self._find()
        return list(self._left_out.values())

    def owner(self, member: Settings) -> Owner:
        """Return the distribution that declares a member of another package."""
        return self._owners.get(member.name, Owner(member.package(), ""))

    def _find(self) -> None:
        if self._found:
            return
        self._found = True
        package = import_module(self.group)
        for module in walk_packages(package.__path__, f"{self.group}."):
            import_module(module.name)
        Registry.waiting.append(self)
        # A module that is being loaded may ask, too: until it is there it has nothing to give.
        if not Registry.loading:
            for registry in Registry._load_all():
                registry._settle()

    @staticmethod
    def _load_all() -> list[Registry[Any]]:
        """Load what other packages declare, for all registries that wait for it, and return these."""
        done = []
        Registry.loading = True
        try:
            while Registry.waiting:
                done.append(Registry.waiting.pop(0))
                for entry in entries().get(done[-1].group, []):
                    done[-1]._load(entry)
        finally:
            Registry.loading = False
        return done

    def _settle(self) -> None:
        """Leave out what cannot stand beside the others; where this package is alone, tests hold that all of it can."""
        if self._clashes is not None and (entries() or any(member.package() for member in _all_loaded())):
            for member, reason in self._clashes(self).items():
                _registry_of(member)._leave_out(member.name, member.package(), reason)
        self._settled = True

    def _load(self, entry: EntryPoint) -> None:
        """Load what another package declares, or leave it out."""
        owner = owner_of(entry)
        before = dict(self._members)
        try:
            # Standard output belongs to results, whatever a module says while it is loaded.
            with redirect_stdout(sys.stderr):
                loaded = entry.load()
            name = next((name for name, member in self._members.items() if member is loaded), None)
            if name is None:
                raise UsageError(f"it is no {self.kind}: the class is registered by @{self.kind}({entry.name!r})")
            if name != entry.name:
                raise UsageError(
                    f"it is registered by @{self.kind}({name!r}): its entry point has to have the same name"
                )
            self._owners[name] = owner
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a module may even leave the program, or panic
            self._members = before
            for registry in Registry.every:
                registry._forget_unloaded()
            self._leave_out(entry.name, owner.name, reason_of(error, entry.value.partition(":")[0].partition(".")[0]))

    def _leave_out(self, name: str, package: str, reason: str) -> None:
        owner = self._owners.pop(name, None)
        self._members.pop(name, None)
        self._left_out[name] = LeftOut(self.kind, name, owner.name if owner is not None else package, reason)

    def _forget_unloaded(self) -> None:
        """Forget members of modules that failed after they had declared them."""
        self._members = {name: member for name, member in self._members.items() if _is_loaded(member.__module__)}

    def _refuse_late_clash(self, member: type[MemberT]) -> None:
        """Refuse a member that comes when all others are there, in a program or a notebook, and clashes with them."""
        if not member.package():
            return  # tests hold that what this package declares can stand together
        for registry in Registry.every:
            if registry._clashes is not None and registry._settled:
                reason = registry._clashes(registry, member).get(member)
                if reason is not None:
                    raise UsageError(f"{self.kind} {member.name!r} cannot stand beside the others: {reason}")


def _all_loaded() -> Iterator[type[Settings]]:
    for registry in Registry.every:
        yield from registry.loaded()


def left_out() -> Iterator[LeftOut]:
    """Yield what other packages declare and cannot be used, entry points of groups that there are not among it."""
    for registry in Registry.every:
        yield from registry.left_out()
    for group, points in entries().items():
        if group.startswith(GROUPS) and not _is_group(group):
            known = ", ".join(registry.group for registry in Registry.every)
            reason = f"there is no group {group!r}, known are {known}"
            yield from (LeftOut("entry point", point.name, owner_of(point).name, reason) for point in points)


def _is_group(group: str) -> bool:
    """Say whether a registry has this name; the package of that name makes it, which may not have been loaded yet."""

    def known() -> bool:
        return group in VALUE_GROUPS or any(registry.group == group for registry in Registry.every)

    if not known():
        with suppress(ImportError):
            import_module(group)
    return known()


def missing_members(packages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return which members of other packages, as a manifest names them, there are not here, each in words.

    Raises
    ------
    ResourceError
        If one is installed, and was left out.
    """
    registries = {registry.kind: registry for registry in Registry.every}
    found = []
    for one in packages:
        kind, name = one["kind"], one["name"]
        if kind in registries and name in registries[kind]:
            continue
        if kind in registries:
            registries[kind].refuse_left_out(name)
        version = f" {one['version']}" if one["version"] else ""
        found.append(f"{kind} {name!r} of the package {one['package']}{version}")
    return found


def declared_elsewhere(steps: Iterable[Settings]) -> Iterator[tuple[Settings, Owner]]:
    """Yield what other packages declare of steps and of what these hold, and who they are."""
    registries = {registry.kind: registry for registry in Registry.every}
    for step in steps:
        for member in step.members():
            if member.package():
                yield member, registries[member.kind].owner(member)


def unversioned(steps: Iterable[Settings]) -> list[str]:
    """Return what other packages declare of steps without a version: `scorer 'short' of the package mine`."""
    return [
        f"{member.called} of the package {owner.name}"
        for member, owner in declared_elsewhere(steps)
        if not member.versioned()
    ]


def _registry_of(member: type[Settings]) -> Registry[Any]:
    return next(registry for registry in Registry.every if member in registry._members.values())


def _is_loaded(module: str) -> bool:
    parts = module.split(".")
    return all(".".join(parts[:end]) in sys.modules for end in range(1, len(parts) + 1))
