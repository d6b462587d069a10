"""What people do in each tool, filled with what is configured here."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from snowmelt.serve.connect.endpoint import Endpoint

ENDPOINT = Endpoint("", "HOST", 5432, "DATABASE", "gold", "USER")
"""Words to be replaced, where nothing is published yet."""


@dataclass(frozen=True)
class Piece:
    """Something to copy. `language`: what it is written in."""

    told: str
    text: str


@dataclass(frozen=True)
class Tool:
    """A tool: the steps in it, and what to copy."""

    name: str
    steps: tuple[str, ...]
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class _Words:
    """An endpoint in the words of several tools."""

    endpoint: Endpoint
    table: str

    @property
    def address(self) -> str:
        e = self.endpoint
        return f"postgresql://{quote(e.user)}@{e.host}:{e.port}/{quote(e.database)}"

    @property
    def facts(self) -> str:
        e = self.endpoint
        lines = (e.host, str(e.port), e.database, e.user)
        names = ("Host", "Port", "Database", "User")
        return "\n".join(f"{n}: {line}" for n, line in zip(names, lines, strict=True))

    @property
    def query(self) -> str:
        return f"select * from {self.endpoint.schema}.{self.table}"


def database_tools(endpoint: Endpoint, table: str, *, is_embedded: bool) -> list[Tool]:
    """Return the tools that read from Postgres."""
    words = _Words(endpoint, table)
    return [
        *_reporting(words, is_embedded=is_embedded),
        *_exploring(words),
        *_programs(words),
    ]


def _reporting(words: _Words, *, is_embedded: bool) -> list[Tool]:
    e = words.endpoint
    encryption = (
        "The embedded Postgres has no TLS: untick “Use encrypted connection”."
        if is_embedded
        else "Encryption is on by default there: give Postgres TLS, or untick it."
    )
    return [
        Tool(
            "Power BI",
            (
                "Download the connection file and open it in Power BI Desktop.",
                f"Choose the tables of schema {e.schema}; Import or DirectQuery.",
                encryption,
                "Publishing to the Power BI Service needs a gateway on a machine that "
                "reaches this database.",
            ),
            (Piece("Server and database", f"{e.server}\n{e.database}"),),
        ),
        Tool(
            "Tableau",
            (
                "Download the data source of a table below, or connect to PostgreSQL "
                "with these.",
                "Relations between tables follow the foreign keys.",
            ),
            (Piece("Connection", words.facts),),
        ),
        Tool(
            "Excel",
            ("Data, Get Data, From Database, From PostgreSQL Database; or by ODBC.",),
            (
                Piece(
                    "ODBC",
                    f"Driver={{PostgreSQL Unicode}};Server={e.host};Port={e.port};"
                    f"Database={e.database};Uid={e.user};",
                ),
            ),
        ),
    ]


def _exploring(words: _Words) -> list[Tool]:
    e, view = words.endpoint, words.table
    return [
        Tool(
            "Looker",
            ("Admin, Connections, Add connection, PostgreSQL 9.5+.",),
            (
                Piece("Connection", words.facts),
                Piece(
                    "LookML view",
                    f"view: {view} {{\n  sql_table_name: {e.schema}.{view} ;;\n"
                    "  measure: count { type: count }\n}",
                ),
            ),
        ),
        Tool(
            "Metabase",
            (
                "Admin settings, Databases, Add a database, PostgreSQL.",
                "“Scan for filter values” may be rare: tables change in place.",
            ),
            (Piece("Connection string", words.address),),
        ),
        Tool(
            "Superset",
            ("Settings, Database connections, + Database, PostgreSQL.",),
            (Piece("SQLAlchemy URI", _with_driver(words.address, "psycopg2")),),
        ),
    ]


def _programs(words: _Words) -> list[Tool]:
    e = words.endpoint
    jdbc = f"jdbc:postgresql://{e.host}:{e.port}/{e.database}?currentSchema={e.schema}"
    alchemy = (
        "import sqlalchemy\n\nengine = sqlalchemy.create_engine(\n"
        f'    "{_with_driver(words.address, "psycopg")}"\n)\n'
        "with engine.connect() as connection:\n"
        "    rows = connection.execute(\n"
        f'        sqlalchemy.text("{words.query}")\n'
        "    ).all()"
    )
    return [
        Tool("Python", (), (Piece("SQLAlchemy", alchemy),)),
        Tool(
            "JDBC, psql",
            (),
            (
                Piece("JDBC", jdbc),
                Piece("psql", f"psql {words.address} -c '{words.query}'"),
            ),
        ),
    ]


def _with_driver(address: str, driver: str) -> str:
    return address.replace("postgresql:", f"postgresql+{driver}:", 1)


def download_pieces(origin: str, table: str) -> list[Piece]:
    """Return how programs read a table without any database."""
    url = f"{origin}/api/v1/tables/{table}"
    head = "Authorization: Bearer $SNOWMELT_TOKEN"
    return [
        Piece("curl", f'curl -H "{head}" -O {url}.csv'),
        Piece(
            "Python, as Arrow",
            "import os\n\nimport httpx\nimport pyarrow as pa\n\n"
            f'answer = httpx.get("{url}.arrow", headers={{\n'
            '    "Authorization": "Bearer " + os.environ["SNOWMELT_TOKEN"],\n})\n'
            "table = pa.ipc.open_stream(answer.content).read_all()",
        ),
        Piece(
            "Excel, Power Query",
            f'let\n    Source = Web.Contents("{url}.csv",\n'
            '        [Headers = [Authorization = "Bearer " & Token]]),\n'
            '    Rows = Csv.Document(Source, [Delimiter = ",", Encoding = 65001])\n'
            "in\n    Table.PromoteHeaders(Rows)",
        ),
    ]


def parquet_pieces(where: str, table: str) -> list[Piece]:
    """Return how programs read published Parquet files, all of one version."""
    if where.startswith("s3://"):
        bucket, _, prefix = where.removeprefix("s3://").partition("/")
        manifest = f"{prefix.rstrip('/')}/manifest.json".lstrip("/")
        text = (
            "import json\n\nimport boto3\nimport duckdb\n\n"
            'body = boto3.client("s3").get_object(\n'
            f'    Bucket="{bucket}", Key="{manifest}")["Body"]\n'
            "manifest = json.load(body)\n"
            "files = [\n"
            f'    "{where.rstrip("/")}/" + file["path"]\n'
            '    for table in manifest["tables"]\n'
            f'    if table["name"] == "{table}"\n'
            '    for file in table["files"]\n]\n'
            "rows = duckdb.read_parquet(files)"
        )
    else:
        text = (
            "from pathlib import Path\n\nimport duckdb\n\n"
            f'version = Path("{where}/current").resolve()  # once: all of one run\n'
            f'rows = duckdb.read_parquet(f"{{version}}/{table}/**/*.parquet")'
        )
    return [Piece("Python, DuckDB", text)]


TESTED = (
    (
        "psycopg 3, SQLAlchemy 2",
        "yes",
        "Read while gold is published, in each build: no error, never half a run",
    ),
    ("psqlODBC", "yes", "The same, where the driver is installed"),
    ("psql, pgjdbc", "yes", "The same beside 1,000 publications, in the long tests"),
    ("DuckDB on Parquet files", "yes", "Reads while gold is published, in each build"),
    ("Power BI: .pbids", "no", "Well-formed; never opened in Power BI Desktop"),
    ("Power BI: TMDL project", "no", "Experimental: never opened in Power BI Desktop"),
    ("Tableau: .tds", "no", "Well-formed; an undocumented format, never opened"),
    ("Looker, Metabase, Superset, Excel", "no", "Words from their documentation"),
)
"""Client, tried or not, what that means."""
