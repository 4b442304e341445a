"""``/hsm/v1``: the gateway, and what machines there are and which keys they hold."""

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict

from hsm.gateway.service import GatewayService
from hsm.gateway.svs import SignatureServer
from hsm.service import HsmService
from hsm.web.gateway import build_router
from hsm.web.gateway_admin import build_admin_router
from hsm.web.gateway_callers import Callers
from hsm.web.gateway_svs import build_svs_router
from hsm.web.keys import build_keys_router
from trustcore.web import problem
from trustcore.web.auth import Authenticator, requires
from trustcore.web.limits import BodyLimit

__all__ = ["create_api"]

_SCOPE = "hsm:read"


class MachineBody(BaseModel):
    """One encryption machine."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """Name in the settings."""
    profile: str
    """Vendor profile."""
    demonstration: bool
    """A software machine: for tests and demonstration only."""
    up: bool
    """Whether the last call was answered."""
    reason: str
    """One sentence: why it is down; empty while it is up."""
    in_flight: int
    """Calls it works on now, for this server process."""
    served: int
    """Calls it answered since this server process started."""


class MachinesBody(BaseModel):
    """All encryption machines."""

    machines: list[MachineBody]


def create_api(service: HsmService, gateway: GatewayService, authenticator: Authenticator) -> FastAPI:
    """The interface over open services; owns nothing."""
    app = FastAPI(title="Xinyin HSM", version="1", docs_url=None, redoc_url=None)
    problem.install(app)
    app.add_middleware(BodyLimit, max_bytes=int(gateway.settings.max_body))
    callers = Callers(authenticator, gateway.grants.principal, gateway.settings)
    app.include_router(build_router(gateway, service, callers))
    server = SignatureServer(gateway, service, gateway.clock)
    app.include_router(build_svs_router(server, callers, limit=int(gateway.settings.max_message)))
    app.include_router(build_admin_router(gateway, callers))
    app.include_router(build_keys_router(service, authenticator))
    caller = Depends(requires(authenticator, _SCOPE))

    @app.get("/v1/machines", dependencies=[caller], summary="Encryption machines 加密机")
    def machines() -> MachinesBody:
        """All machines as the last calls found them."""
        return MachinesBody(
            machines=[
                MachineBody(
                    name=state.name,
                    profile=state.profile,
                    demonstration=state.demonstration,
                    up=state.up,
                    reason=state.reason,
                    in_flight=state.in_flight,
                    served=state.served,
                )
                for state in service.machines()
            ]
        )

    return app
