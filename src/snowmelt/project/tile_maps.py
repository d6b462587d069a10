"""Maps of equal tiles: each state or country is one, about where it lies.

Equal tiles do not let a large place look like much of a figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_BRAZIL = """
    .  RR AP .  .  .  .
    AM PA MA CE RN .  .
    AC RO TO PI PB .  .
    .  MT GO BA PE .  .
    .  MS DF MG AL .  .
    .  .  SP ES SE .  .
    .  PR RJ .  .  .  .
    .  SC .  .  .  .  .
    .  RS .  .  .  .  .
"""
_USA = """
    AK .  .  .  .  .  .  .  .  .  ME
    .  .  .  .  .  .  .  .  .  VT NH
    WA ID MT ND MN IL WI MI NY RI MA
    OR NV WY SD IA IN OH PA NJ CT .
    CA UT CO NE MO KY WV VA MD DE .
    .  AZ NM KS AR TN NC SC DC .  .
    .  .  .  OK LA MS AL GA .  .  .
    HI .  .  TX .  .  .  .  FL .  .
"""
_EUROPE = """
    IS .  .  .  NO SE FI .
    .  .  .  .  .  .  EE .
    .  .  .  .  DK .  LV .
    IE GB .  NL DE PL LT BY
    .  .  BE LU CZ SK UA .
    .  FR CH LI AT HU RO MD
    PT ES .  IT SI HR RS BG
    .  AD MC SM BA ME XK MK
    .  .  .  MT .  AL GR CY
"""
_BRAZIL_NAMES = (
    "AC Acre,AL Alagoas,AP Amapá,AM Amazonas,BA Bahia,CE Ceará,DF Distrito Federal,"
    "ES Espírito Santo,GO Goiás,MA Maranhão,MT Mato Grosso,MS Mato Grosso do Sul,"
    "MG Minas Gerais,PA Pará,PB Paraíba,PR Paraná,PE Pernambuco,PI Piauí,"
    "RJ Rio de Janeiro,RN Rio Grande do Norte,RS Rio Grande do Sul,RO Rondônia,"
    "RR Roraima,SC Santa Catarina,SP São Paulo,SE Sergipe,TO Tocantins"
)
_USA_NAMES = (
    "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,"
    "CT Connecticut,DE Delaware,DC District of Columbia,FL Florida,GA Georgia,"
    "HI Hawaii,ID Idaho,IL Illinois,IN Indiana,IA Iowa,KS Kansas,KY Kentucky,"
    "LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,MI Michigan,MN Minnesota,"
    "MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,NH New Hampshire,"
    "NJ New Jersey,NM New Mexico,NY New York,NC North Carolina,ND North Dakota,"
    "OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,RI Rhode Island,SC South Carolina,"
    "SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,"
    "WA Washington,WV West Virginia,WI Wisconsin,WY Wyoming"
)
_EUROPE_NAMES = (
    "AD Andorra,AL Albania,AT Austria,BA Bosnia and Herzegovina,BE Belgium,BG Bulgaria,"
    "BY Belarus,CH Switzerland,CY Cyprus,CZ Czechia,DE Germany,DK Denmark,EE Estonia,"
    "ES Spain,FI Finland,FR France,GB United Kingdom,GR Greece,HR Croatia,HU Hungary,"
    "IE Ireland,IS Iceland,IT Italy,LI Liechtenstein,LT Lithuania,LU Luxembourg,"
    "LV Latvia,MC Monaco,MD Moldova,ME Montenegro,MK North Macedonia,MT Malta,"
    "NL Netherlands,NO Norway,PL Poland,PT Portugal,RO Romania,RS Serbia,SE Sweden,"
    "SI Slovenia,SK Slovakia,SM San Marino,UA Ukraine,XK Kosovo"
)
_MAPS = {
    "brazil": (_BRAZIL, _BRAZIL_NAMES),
    "usa": (_USA, _USA_NAMES),
    "europe": (_EUROPE, _EUROPE_NAMES),
}
TILE_MAPS = tuple(_MAPS)


@dataclass(frozen=True)
class Tile:
    """One place: its code, its name, and where it lies, counted from the upper left."""

    code: str
    name: str
    column: int
    row: int


@lru_cache(maxsize=8)
def tiles_of(name: str) -> tuple[Tile, ...]:
    """Return the tiles of a map, from north to south."""
    drawing, told = _MAPS[name]
    names = dict(each.split(" ", 1) for each in told.split(","))
    return tuple(
        Tile(code, names[code], column, row)
        for row, line in enumerate(drawing.strip().splitlines())
        for column, code in enumerate(line.split())
        if code != "."
    )


@lru_cache(maxsize=8)
def codes_of(name: str) -> dict[str, str]:
    """Return the code of each place by its code and its name, in small letters."""
    tiles = tiles_of(name)
    return {tile.name.casefold(): tile.code for tile in tiles} | {
        tile.code.casefold(): tile.code for tile in tiles
    }
