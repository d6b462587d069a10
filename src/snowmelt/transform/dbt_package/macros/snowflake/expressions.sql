{#-
    What is written otherwise for Snowflake. In its texts a backslash is doubled, and its regular
    expressions know no classes of Unicode
    (https://docs.snowflake.com/en/sql-reference/functions-regexp), so spaces are named one by one.
-#}
{% macro snowflake__full_match(column, pattern) -%}
    {{- return("regexp_like(cast(" ~ column ~ " as varchar), " ~ snowmelt.literal(pattern) ~ ", 's')") -}}
{%- endmacro %}


{% macro snowflake__is_refused(condition) -%}
    {{- return('coalesce(not (' ~ condition ~ '), false)') -}}
{%- endmacro %}


{% macro snowflake__list_of_texts(texts) -%}
    {{- return('array_construct_compact(' ~ texts | join(', ') ~ ')') -}}
{%- endmacro %}


{% macro snowflake__record_id(column) -%}
    nullif(regexp_replace(trim({{ column }}), '^([0-9]+)\\.0+$', '\\1'), '')
{%- endmacro %}


{% macro snowflake__one_line(column) -%}
    nullif(trim(regexp_replace({{ column }}, '[\\s{{ snowmelt.spaces_beyond_ascii() }}]+', ' ')), '')
{%- endmacro %}


{% macro spaces_beyond_ascii() -%}
    {{- return("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000") -}}
{%- endmacro %}


{% macro snowflake__moment(column) -%}
    case
        when regexp_like(trim({{ column }}), '[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ][0-9].*)?(Z|[+-][0-9:]+)')
        then convert_timezone('UTC', try_cast(trim({{ column }}) as timestamp_tz))::timestamp_ntz
        when regexp_like(trim({{ column }}), '[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ][0-9].*)?')
        then try_cast(trim({{ column }}) as timestamp_ntz)
    end
{%- endmacro %}


{% macro snowflake__in_utc(moment) -%}
    convert_timezone('UTC', {{ moment }})::timestamp_ntz
{%- endmacro %}


{#- By the remainder of whole numbers: a quotient is rounded to some decimals before it is floored. -#}
{% macro snowflake__average(amount, number) -%}
    case
        when {{ number }} > 0
        then cast(
            (
                (200 * {{ amount }} + {{ number }})
                - mod(mod(200 * {{ amount }} + {{ number }}, 2 * {{ number }}) + 2 * {{ number }}, 2 * {{ number }})
            ) / (2 * {{ number }}) / 100
            as decimal(18, 2)
        )
    end
{%- endmacro %}


{% macro snowflake__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, {{ snowmelt.literal(pattern) }}, {{ snowmelt.literal(by) }})
{%- endmacro %}


{% macro snowflake__quotient(number, by) -%}
    (({{ number }}) - mod({{ number }}, nullif({{ by }}, 0))) / nullif({{ by }}, 0)
{%- endmacro %}


{#- Its own concat_ws is null where one of the texts is. -#}
{% macro snowflake__joined(separator, texts) -%}
    {%- set parts = [] -%}
    {%- for text in texts -%}
        {%- do parts.append('coalesce(' ~ text ~ ' || ' ~ snowmelt.literal(separator) ~ ", '')") -%}
    {%- endfor -%}
    {%- set all_of_them = parts | join(' || ') -%}
    left({{ all_of_them }}, greatest(length({{ all_of_them }}) - {{ separator | length }}, 0))
{%- endmacro %}


{#- Its own try_cast takes texts alone. -#}
{% macro snowflake__try_decimal(number, digits, decimals) -%}
    try_cast(to_varchar({{ number }}) as decimal({{ digits }}, {{ decimals }}))
{%- endmacro %}


{% macro snowflake__try_day(text, dashes) -%}
    try_to_date(left({{ text }}, {{ 10 if dashes else 8 }}), '{{ "YYYY-MM-DD" if dashes else "YYYYMMDD" }}')
{%- endmacro %}


{% macro snowflake__moment_of(microseconds) -%}
    to_timestamp_ntz(cast({{ microseconds }} as bigint), 6)
{%- endmacro %}


{% macro snowflake__last_known(value) -%}
    last_value({{ value }}) ignore nulls
{%- endmacro %}
