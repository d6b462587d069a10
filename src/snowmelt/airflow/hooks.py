"""The connection to a service: where it is, and its token."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook

from snowmelt.airflow.provider import CONNECTION_TYPE
from snowmelt.remote import Remote, ServiceError, what_happened

DEFAULT = "snowmelt_default"
DEFAULT_PORT = 8321


class SnowmeltHook(BaseHook):
    """Leads to a service by an Airflow connection of the type `snowmelt`.

    The host may be a whole address (`https://gold.example.com`). The password is a
    token of an operator. Extra: `verify` (false, or a path of trusted certificates),
    `patience` (seconds that the service may be away; 120).
    """

    conn_name_attr = "conn_id"
    default_conn_name = DEFAULT
    conn_type = CONNECTION_TYPE
    hook_name = "Snowmelt"

    def __init__(self, conn_id: str = DEFAULT) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self) -> Remote:
        """Return the service."""
        return remote_of(self.get_connection(self.conn_id))

    async def get_conn_async(self) -> Remote:
        """Return the service, in a triggerer."""
        return remote_of(await self.aget_connection(self.conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Ask the service a question that every token may ask."""
        try:
            remote = self.get_conn()
            remote.ask(what_happened("now"))
        except (ServiceError, ValueError) as error:
            return False, str(error)
        return True, f"{remote.url} answers"


def remote_of(connection: Any) -> Remote:
    """Return the service that a connection leads to.

    Raises ValueError for one without a host or a token.
    """
    host, extra = connection.host or "", connection.extra_dejson
    if not host or not connection.password:
        raise ValueError(
            f"connection {connection.conn_id}: it needs a host, and a token as its "
            "password. Make one: snowmelt tokens add airflow --role operator"
        )
    if "://" in host:
        url = host.rstrip("/") + (f":{connection.port}" if connection.port else "")
    else:
        port = connection.port or DEFAULT_PORT
        url = f"{connection.schema or 'http'}://{host}:{port}"
    options = {name: extra[name] for name in ("verify", "patience") if name in extra}
    return Remote(url, connection.password, **options)
