"""The connection to one token: its module, its vendor profile, its sessions, and the proof that it answers rightly."""
# ruff: noqa: ANN401 - python-pkcs11 makes the classes of objects at run time, from their attributes

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from pkcs11 import ObjectClass, PKCS11Error, Token

from hsm.core.profiles import VendorProfile
from hsm.errors import KeyMissingError, MachineUnfitError
from hsm.machine import KeyReference, MachineInfo, SessionCounts
from hsm.pkcs11.failures import STALE_HANDLE, Failures
from hsm.pkcs11.key_objects import KeyObjects
from hsm.pkcs11.module import LoadedModule, ModuleSource
from hsm.pkcs11.proof import prove
from hsm.pkcs11.sessions import Lane, OpenToken, SessionPool
from hsm.settings import HsmSettings, MachineSettings
from hsm.vendors import VendorBook
from trustcore.errors import TrustError

__all__ = ["Connection"]

_T = TypeVar("_T")
_SOFTWARE_FILE = "softgm"


class Connection:
    """The connection to one machine. Safe to share between threads.

    Args:
        settings: the machine.
        pool: bounds that all machines share.
        vendors: the profiles to choose from.
        find_source: says what to load; called at the first connection, so that a missing module is one machine's error.
        start_lock: file that serialises loading and login over all processes of this host.
        is_full: whether the machine's store has no room, where that can be seen from here.
    """

    def __init__(
        self,
        settings: MachineSettings,
        *,
        pool: HsmSettings,
        vendors: VendorBook,
        find_source: Callable[[], ModuleSource],
        start_lock: Path,
        is_full: Callable[[], bool],
    ) -> None:
        self.name = settings.name
        self._token_label = settings.token
        self._profile_name = settings.profile
        self._file = settings.module if isinstance(settings.module, str) else settings.module.name
        self._vendors = vendors
        self._profile = vendors.choose(settings.profile, file=self._file)
        self._find_source = find_source
        self._module: LoadedModule | None = None
        self._loading = threading.Lock()
        self._failures = Failures(settings.name, is_full)
        self._failures.profile = self._profile
        self.proved: frozenset[str] = frozenset()
        """What the last proof covered, and what real keys have proved since."""
        self._sessions = SessionPool(
            settings,
            pool,
            find_token=self._find_token,
            prove=self._prove,
            failures=self._failures,
            start_lock=start_lock,
        )

    @property
    def profile(self) -> VendorProfile:
        """The vendor profile; before the first connection what the settings and the file's name tell."""
        if self._profile is None:
            self._sessions.connect()
        assert self._profile is not None
        return self._profile

    @property
    def replicates(self) -> bool:
        """Whether keys can be moved in and out, as far as is known."""
        return self._profile is not None and self._profile.replicates

    @property
    def objects(self) -> KeyObjects:
        """What the vendor's key objects look like."""
        return KeyObjects(self.profile)

    @property
    def counts(self) -> SessionCounts:
        """How many sessions there are."""
        return self._sessions.counts

    def connect(self) -> MachineInfo:
        """Load the module, find the token, log in and prove the machine, if that is not done."""
        token = self._sessions.connect().token
        assert self._module is not None
        return MachineInfo(
            manufacturer=token.manufacturer_id,
            model=token.model,
            serial=token.serial.decode(errors="replace"),
            library=self._module.library.library_description,
            profile=self.profile.name,
            algorithms=tuple(sorted(self.proved)),
        )

    def discard(self) -> None:
        """End all sessions; the next call connects anew."""
        self._sessions.discard()

    def close(self) -> None:
        """Let the module go. No call may be in flight."""
        self._sessions.discard()
        with self._loading:
            if self._module is not None:
                self._module.close()
                self._module = None

    def take(self) -> Lane:
        """A session; the caller calls :meth:`give_back` whatever happens."""
        return self._sessions.take()

    def give_back(self, lane: Lane) -> None:
        """Let others have the session."""
        self._sessions.give_back(lane)

    def run(self, act: Callable[[Lane], _T]) -> _T:
        """Do something in a session. Errors of PKCS#11 become ours."""
        lane = self._sessions.take()
        try:
            return act(lane)
        except PKCS11Error as error:
            raise self.failed(lane, error) from error
        finally:
            self._sessions.give_back(lane)

    def run_with(self, reference: KeyReference, kind: ObjectClass, use: Callable[[Lane, Any], _T]) -> _T:
        """Use a key in a session; a handle that went stale is looked up once more."""

        def once(lane: Lane) -> _T:
            try:
                return use(lane, self.key(lane, reference, kind))
            except STALE_HANDLE:
                lane.keys.pop((kind, reference.label, reference.key_id), None)
                return use(lane, self.key(lane, reference, kind))

        return self.run(once)

    def failed(self, lane: Lane, error: PKCS11Error) -> TrustError:
        """Keep the books about an error that a session met, and say it in our words."""
        lane.keys.clear()
        if self._failures.is_session_lost(error):
            self._sessions.discard(lane.generation)
        elif isinstance(error, pkcs11.OperationActive):
            lane.usable = False
        return self._failures.translate(error)

    def find_all(self, lane: Lane, reference: KeyReference, kind: ObjectClass) -> list[Any]:
        """The objects of one class with this reference."""
        if not lane.calls.holds(int(kind), reference.label.encode(), reference.key_id):
            return []
        try:
            return self.objects.find_all(lane.session, reference, kind)
        except PKCS11Error:
            # python-pkcs11 0.10 keeps the session's lock when C_FindObjectsInit fails: the next user would wait.
            lane.usable = False
            raise

    def key(self, lane: Lane, reference: KeyReference, kind: ObjectClass) -> Any:
        """The object, from the session's cache or else searched for."""
        place = (kind, reference.label, reference.key_id)
        key = lane.keys.get(place)
        if key is None:
            found = self.find_all(lane, reference, kind)
            if not found:
                raise KeyMissingError(self.name, reference.label)
            key = lane.keys[place] = found[0]
        return key

    def note_proved(self, what: str) -> None:
        """A real key has proved what no trial key did."""
        self.proved |= {what}

    def _find_token(self) -> OpenToken:
        with self._loading:
            if self._module is None:
                self._module = LoadedModule(self._find_source(), self.name)
                self._settle_profile(self._module)
            self._module.revive()
            token = self._module.library.get_token(token_label=self._token_label)
            return OpenToken(token=token, calls=self._module.calls)

    def _settle_profile(self, module: LoadedModule) -> None:
        """Choose the profile again, now that the module says who made it."""
        said = module.library
        found = self._vendors.choose(
            self._profile_name,
            file=self._file,
            manufacturer=said.manufacturer_id,
            description=said.library_description,
        )
        if found is None:
            self._module = None
            module.close()
            raise MachineUnfitError(
                self.name,
                f"The module of the encryption machine {self.name} says that it is “{said.library_description}” by "
                f"“{said.manufacturer_id}”, which no vendor profile fits; name one in the settings, pkcs11 for a "
                "machine without SM2, or bring one of your own.",
                code="hsm.profile.unmatched",
            )
        self._profile = self._failures.profile = found

    def _prove(self, token: Token, lane: Lane) -> None:
        self.proved = frozenset()
        self.proved = prove(self.name, token=token, lane=lane, profile=self.profile, others=self._vendors.profiles)
