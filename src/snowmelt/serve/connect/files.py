"""Connection files: `.pbids` for Power BI, `.tds` for Tableau."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from snowmelt.serve.connect.endpoint import Endpoint, ModelTable


def pbids(endpoint: Endpoint) -> str:
    """Return a file that Power BI Desktop opens as a connection.

    https://learn.microsoft.com/power-bi/connect-data/desktop-data-sources
    """
    address = {"server": endpoint.server, "database": endpoint.database}
    details = {"protocol": "postgresql", "address": address}
    connection = {"details": details, "options": {}, "mode": "DirectQuery"}
    return json.dumps({"version": "0.1", "connections": [connection]}, indent=2) + "\n"


def tds(endpoint: Endpoint, table: ModelTable) -> str:
    """Return a data source of Tableau for one table; it asks for the password."""
    source = ElementTree.Element(
        "datasource",
        {
            "formatted-name": f"snowmelt.{table.name}",
            "inline": "true",
            "version": "18.1",
        },
    )
    federated = ElementTree.SubElement(source, "connection", {"class": "federated"})
    named = ElementTree.SubElement(federated, "named-connections")
    name = "postgres.snowmelt"
    one = ElementTree.SubElement(
        named, "named-connection", {"caption": endpoint.host, "name": name}
    )
    ElementTree.SubElement(
        one,
        "connection",
        {
            "authentication": "username-password",
            "class": "postgres",
            "dbname": endpoint.database,
            "one-time-sql": "",
            "port": str(endpoint.port),
            "server": endpoint.host,
            "username": endpoint.user,
            "workgroup-auth-mode": "prompt",
        },
    )
    ElementTree.SubElement(
        federated,
        "relation",
        {
            "connection": name,
            "name": table.name,
            "table": f"[{endpoint.schema}].[{table.name}]",
            "type": "table",
        },
    )
    ElementTree.SubElement(source, "aliases", {"enabled": "yes"})
    ElementTree.indent(source)
    text = ElementTree.tostring(source, encoding="unicode", xml_declaration=False)
    return f"<?xml version='1.0' encoding='utf-8' ?>\n{text}\n"
