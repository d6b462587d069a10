"""Functions that both engines know by one name and for one thing: data.

What each engine has is in `names`; each function that both have is here or in
`words.OTHERWISE`. Its page there, which is its name below
https://docs.snowflake.com/en/sql-reference/functions/, was read beside what DuckDB
answers of NULL, of no row, of '', of negative numbers and of letters beyond ASCII.
Where some arguments alone decide, `arguments` names those. SQL that no dbt stands
behind, which is that of tasks and alerts, calls these alone: what is not named here
fails there at its first run, or is answered otherwise, and nobody sees it before.

Alike they are but for the last digits of a floating number, which of equal rows comes
first, an error instead of an infinite number, and letters that have no other case or
are of more than one sign. date_trunc of a day is a day there, and a moment here.
"""

from __future__ import annotations

_AGGREGATES = (
    *("avg", "count", "covar_pop", "covar_samp", "grouping", "grouping_id"),
    *("kurtosis", "max", "max_by", "median", "min", "min_by", "mode"),
    *("percentile_cont", "percentile_disc", "regr_avgx", "regr_avgy", "regr_count"),
    *("regr_intercept", "regr_r2", "regr_sxx", "regr_sxy", "regr_syy"),
    *("stddev", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance"),
)
_WINDOWS = (
    *("cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead"),
    *("nth_value", "ntile", "percent_rank", "rank", "row_number"),
)
_NUMBERS = (
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt"),
    *("ceil", "cos", "cosh", "cot", "degrees", "exp", "factorial", "floor", "ln"),
    *("mod", "pi", "pow", "power", "radians", "round", "sign", "sin", "sinh", "sqrt"),
    *("tan", "tanh", "trunc"),
)
_TEXTS = (
    *("bit_length", "chr", "contains", "left", "len", "length", "lower", "lpad"),
    *("ltrim", "md5", "octet_length", "position", "repeat", "replace", "reverse"),
    *("right", "rpad", "rtrim", "sha1", "split_part", "substr", "substring"),
    *("translate", "trim", "upper"),
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
