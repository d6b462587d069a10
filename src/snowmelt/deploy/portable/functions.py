"""Functions that both engines know by one name and for one thing: data.

By https://docs.snowflake.com/en/sql-reference/functions-all and
https://duckdb.org/docs/stable/sql/functions/overview. SQL that no dbt stands behind,
which is that of tasks and alerts, calls these alone: what is not named here fails
there at its first run, or is answered otherwise, and nobody sees it before.
"""

from __future__ import annotations

_AGGREGATES = (
    *("approx_count_distinct", "avg", "corr", "count", "count_if", "covar_pop"),
    *("covar_samp", "listagg", "max", "max_by", "median", "min", "min_by", "mode"),
    *("percentile_cont", "percentile_disc", "stddev", "stddev_pop", "stddev_samp"),
    *("sum", "var_pop", "var_samp", "variance"),
)
_WINDOWS = (
    *("cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead"),
    *("nth_value", "ntile", "percent_rank", "rank", "row_number"),
)
_NUMBERS = (
    *("abs", "acos", "asin", "atan", "atan2", "cbrt", "ceil", "cos", "cot", "degrees"),
    *("exp", "factorial", "floor", "ln", "mod", "pi", "pow", "power", "radians"),
    *("round", "sign", "sin", "sqrt", "tan", "trunc"),
)
_TEXTS = (
    *("ascii", "chr", "contains", "left", "length", "lower", "lpad", "ltrim", "md5"),
    *("octet_length", "position", "repeat", "replace", "reverse", "right", "rpad"),
    *("rtrim", "sha1", "split_part", "substr", "substring", "translate", "trim"),
    "upper",
)
_TIMES = (
    *("current_date", "current_timestamp", "date_part", "date_trunc", "datediff"),
    *("day", "dayofmonth", "dayofweek", "dayofyear", "extract", "hour", "last_day"),
    *("minute", "month", "quarter", "second", "week", "weekofyear", "year"),
)
_VALUES = ("cast", "coalesce", "greatest", "ifnull", "least", "nullif", "try_cast")
SHARED = frozenset(
    (*_AGGREGATES, *_WINDOWS, *_NUMBERS, *_TEXTS, *_TIMES, *_VALUES),
)
