"""Words that one of the engines does not know, or takes otherwise: data.

Which functions each of them has is in `names`; what means the same is in `functions`.
Here is what to say of the others. DuckDB's answers are those of the version that
pyproject.toml names: tests ask it for them.
"""

from __future__ import annotations

_EACH = "a macro for each engine"
# Snowflake has no such function, and this does the same on both, or has to be
# dispatched. Functions of which nothing is said here are named all the same.
UNKNOWN = {
    "add": "+",
    "age": "datediff('day', a, b)",
    "arbitrary": "min",
    "arg_max": "max_by",
    "arg_min": "min_by",
    "argmax": "max_by",
    "argmin": "min_by",
    "array_length": f"array_size by {_EACH}",
    "base64": _EACH,
    "bool_and": "min(case when … then 1 else 0 end) = 1",
    "bool_or": "max(case when … then 1 else 0 end) = 1",
    "ceiling": "ceil",
    "century": "ceil(year(day) / 100)",
    "char_length": "length",
    "character_length": "length",
    "count_star": "count(*)",
    "countif": "count(case when … then 1 end)",
    "current_catalog": "nothing: the database has another name there",
    "current_localtimestamp": "current_timestamp",
    "date_add": "day + interval '1 day'",
    "date_diff": "datediff('day', a, b)",
    "date_sub": "day - interval '1 day'",
    "datepart": "date_part('month', day)",
    "datesub": "datediff('day', a, b)",
    "datetrunc": "date_trunc('month', day)",
    "days_in_month": "day(last_day(day))",
    "decade": "floor(year(day) / 10)",
    "divide": "trunc(a / b)",
    "editdist3": f"editdistance by {_EACH}",
    "encode": _EACH,
    "ends_with": "like '%end'",
    "epoch": "datediff('second', timestamp '1970-01-01', at)",
    "epoch_ms": "datediff('millisecond', timestamp '1970-01-01', at)",
    "epoch_us": "datediff('microsecond', timestamp '1970-01-01', at)",
    "favg": "avg",
    "fdiv": "floor(a / b)",
    "first": "min_by",
    "fmod": "a - b * floor(a / b)",
    "format": "||",
    "fsum": "sum",
    "gen_random_uuid": _EACH,
    "generate_series": "a table of numbers or days",
    "geomean": "exp(avg(ln(a)))",
    "geometric_mean": "exp(avg(ln(a)))",
    "get_current_timestamp": "current_timestamp",
    "group_concat": f"listagg by {_EACH}",
    "hex": _EACH,
    "histogram": "count(*) … group by",
    "if": "case when",
    "instr": "position(part in text)",
    "isodow": f"dayofweekiso by {_EACH}",
    "kahan_sum": "sum",
    "last": "max_by",
    "lcase": "lower",
    "length_grapheme": "length",
    "levenshtein": f"editdistance by {_EACH}",
    "log10": "ln(a) / ln(10)",
    "log2": "ln(a) / ln(2)",
    "make_date": "cast(… as date)",
    "make_timestamp": "cast(… as timestamp)",
    "mean": "avg",
    "multiply": "*",
    "nextval": _EACH,
    "now": "current_timestamp",
    "prefix": "like 'start%'",
    "printf": "||",
    "quantile": "percentile_cont(…) within group (order by …)",
    "quantile_cont": "percentile_cont(…) within group (order by …)",
    "quantile_disc": "percentile_disc(…) within group (order by …)",
    "range": "a table of numbers or days",
    "rank_dense": "dense_rank",
    "regexp_extract": "snowmelt's macros, or one for each engine",
    "regexp_full_match": "snowmelt.full_match",
    "regexp_matches": "snowmelt.full_match",
    "sem": "stddev_pop(a) / sqrt(count(a))",
    "sha256": f"md5, or {_EACH}",
    "starts_with": "like 'start%'",
    "str_split": "split_part",
    "strftime": _EACH,
    "string_agg": f"listagg by {_EACH}",
    "string_split": "split_part",
    "string_to_array": "split_part",
    "strlen": "bit_length(text) / 8",
    "strpos": "position(part in text)",
    "strptime": "snowmelt's macros, or one for each engine",
    "substring_grapheme": "substr",
    "subtract": "-",
    "suffix": "like '%end'",
    "sumkahan": "sum",
    "time_bucket": "date_trunc('hour', at)",
    "timezone": _EACH,
    "to_base64": _EACH,
    "to_days": "interval '1 day'",
    "to_hex": _EACH,
    "to_hours": "interval '1 hour'",
    "to_minutes": "interval '1 minute'",
    "to_months": "interval '1 month'",
    "to_seconds": "interval '1 second'",
    "to_weeks": "interval '7 days'",
    "to_years": "interval '1 year'",
    "today": "current_date",
    "transaction_timestamp": "current_timestamp",
    "try": "try_cast, or nullif(…, 0) below a division",
    "try_strptime": "snowmelt's macros, or one for each engine",
    "ucase": "upper",
    "unnest": _EACH,
    "uuid": _EACH,
    "wavg": "sum(a * b) / sum(b)",
    "weekday": "dayofweek",
    "weighted_avg": "sum(a * b) / sum(b)",
}
UNKNOWN_BEGINNINGS = {
    "list_": "DuckDB's lists",
    "struct_": "DuckDB's structs",
    "map_": "DuckDB's maps",
    "read_": "files are read by pipes alone",
    "parquet_": "files are read by pipes alone",
    "json_": "JSON is taken apart otherwise there",
    "array_": "DuckDB's arrays",
    "duckdb_": "DuckDB's catalog",
    "pragma_": "DuckDB's catalog",
    "pg_": "PostgreSQL's catalog",
    "icu_": "DuckDB's collations",
    "approx_quant": "approx_percentile there",
    "__internal_": "DuckDB's own",
}
_LISTS = (
    *("approx_top_k", "array_append", "array_cat", "array_contains", "array_distinct"),
    *("array_position", "array_prepend", "array_reverse", "array_slice", "array_sort"),
    *("array_to_string", "flatten", "map_keys", "reduce", "regexp_extract_all"),
)
_ANOTHERS = (
    *("current_database", "current_role", "current_schema", "current_schemas"),
    *("current_user", "getvariable"),
)
_SHAPES = ("st_asbinary", "st_astext", "st_aswkb", "st_aswkt", "st_geomfromwkb")
# Both have it, and mean different things.
OTHERWISE = {
    **dict.fromkeys(
        _LISTS,
        "lists are arrays there, which hold values of any type and are counted from 0",
    ),
    **dict.fromkeys(_ANOTHERS, "what it tells of the session is another thing there"),
    **dict.fromkeys(_SHAPES, "shapes are values of another type there"),
    "any_value": "which one it takes each engine decides. max means the same on both",
    "approx_count_distinct": "it estimates, and each engine comes to another number. "
    "count(distinct …) means the same on both",
    "array_agg": "it leaves out NULL there, and keeps it here",
    "ascii": "what it is of letters beyond ASCII is not told there",
    "bit_and": "it takes two numbers there, and all rows here",
    "bit_or": "it takes two numbers there, and all rows here",
    "bit_xor": "it takes two numbers there, and all rows here",
    "concat": "it is NULL there where one of its texts is; here that one is left out. "
    "|| means the same on both",
    "concat_ws": "it is NULL there where one of its texts is; here that one is left "
    "out. snowmelt.joined means the same on both",
    "corr": "it is NULL there where one side has one value alone, and NaN here. "
    "nullif(corr(…), cast('NaN' as double)) means the same on both",
    "count_if": "it is 0 there where no row is counted, and NULL here if there is none "
    "to look at. count(case when … then 1 end) means the same on both",
    "dayname": "it says Mon there, and Monday here",
    "decode": "it chooses among values there, and makes a text of bytes here. case "
    "means the same on both",
    "monthname": "it says Jan there, and January here",
    "hash": "its numbers are others there. md5 is the same on both",
    "json_extract_path_text": "its paths are written otherwise there",
    "listagg": "its order is written otherwise there; of nothing it is '' there, and "
    "NULL here. dbt.listagg, a macro, orders on both",
    "log": "it takes the base first there; here it is that of 10. ln is the same",
    "md5_number": "its numbers are others there. md5 is the same on both",
    "random": "it is a whole number there, and between 0 and 1 here",
    "regexp_replace": "it replaces every match there, and the first one here. "
    "snowmelt.replaced means the same on both",
    "regr_slope": "it is NULL there where the second one has one value alone, and NaN "
    "here. nullif(regr_slope(…), cast('NaN' as double)) means the same on both",
    "split": "it makes an array there, and a list here. split_part means the same on "
    "both",
    "to_binary": "it reads bytes there, and writes digits here",
    "to_json": "it takes a VARIANT there, and any value here",
    "to_timestamp": "it reads texts there, and counts seconds here. "
    "snowmelt.moment_of means the same on both",
    "typeof": "its names of types are others there",
    "unicode": "of '' it is 0 there, and -1 here",
}
# Inside of this they mean the same.
GUARDS = {"corr": "nullif", "count_if": "coalesce", "regr_slope": "nullif"}
# What a query that is written anew says otherwise there, and so may say here: a card of
# a dashboard is, a model is not.
REWRITTEN = {"any_value", "filter", "greatest", "isodow", "least"}
# What a card says instead, which can call no macro.
INSTEAD = {
    "//": "floor(a / b)",
    "strftime": "year(day), month(day), lpad(… ::varchar, 2, '0')",
    "unnest": "a SELECT of each, and UNION ALL between them",
    "[": "case place when 1 then … end, or substr(…)",
}
