{#- Expressions that models of raw files need again and again: each makes one value of one. -#}


{#-
    An id as text, trimmed; a whole number that was written as a float loses its '.0'. Only an
    id that may be so is looked into: there may be many millions of others.
-#}
{% macro record_id(column) -%}
    {{- adapter.dispatch('record_id', 'snowmelt')(column) -}}
{%- endmacro %}


{% macro duckdb__record_id(column) -%}
    nullif(
        case
            when starts_with({{ column }}, ' ') or ends_with({{ column }}, ' ') or contains({{ column }}, '.0')
            then regexp_replace(trim({{ column }}), '^(\d+)\.0+$', '\1')
            else {{ column }}
        end,
        ''
    )
{%- endmacro %}


{#- A text without space around it, and with one space where there were several. -#}
{% macro one_line(column) -%}
    {{- adapter.dispatch('one_line', 'snowmelt')(column) -}}
{%- endmacro %}


{% macro duckdb__one_line(column) -%}
    nullif(trim(regexp_replace({{ column }}, '[\s\pZ]+', ' ', 'g')), '')
{%- endmacro %}


{#-
    A moment (UTC) of a date or time as ISO 8601 text; without an offset it is in UTC. Null for
    what is none. Seconds may be left out, which the engine allows before no offset.
-#}
{% macro moment(column) -%}
    {{- adapter.dispatch('moment', 'snowmelt')(column) -}}
{%- endmacro %}


{% macro duckdb__moment(column) -%}
    case
        when {{ column }} like '____-__-_____:__:__' or {{ column }} like '____-__-__'
        then try_cast({{ column }} as timestamp)
        when regexp_full_match(trim({{ column }}), '[12]\d{3}-\d{2}-\d{2}([T ]\d.*)?')
        then try_cast(
            regexp_replace(trim({{ column }}), '^(.{11}\d{2}:\d{2})(Z|[+-].*)$', '\1:00\2') as timestamptz
        ) at time zone 'UTC'
    end
{%- endmacro %}


{#- What a clock in UTC shows at a moment that has a zone, such as _loaded_at: without one. -#}
{% macro in_utc(moment) -%}
    {{- adapter.dispatch('in_utc', 'snowmelt')(moment) -}}
{%- endmacro %}


{% macro duckdb__in_utc(moment) -%}
    ({{ moment }} at time zone 'UTC')
{%- endmacro %}


{#-
    An amount by a number, to hundredths, half up; null unless the number is above 0. In whole
    numbers: a plain quotient is a float, and a cast of it gets some halves wrong.
-#}
{% macro average(amount, number) -%}
    {{- adapter.dispatch('average', 'snowmelt')(amount, number) -}}
{%- endmacro %}


{% macro duckdb__average(amount, number) -%}
    case
        when {{ number }} > 0
        then cast(floor((200 * {{ amount }} + {{ number }}) / (2 * {{ number }})) / 100 as decimal(18, 2))
    end
{%- endmacro %}


{#- A text with every match of a pattern replaced. -#}
{% macro replaced(text, pattern, by) -%}
    {{- adapter.dispatch('replaced', 'snowmelt')(text, pattern, by) -}}
{%- endmacro %}


{% macro duckdb__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, {{ snowmelt.literal(pattern) }}, {{ snowmelt.literal(by) }}, 'g')
{%- endmacro %}


{#- How often a whole number is in another one; null for 0. -#}
{% macro quotient(number, by) -%}
    {{- adapter.dispatch('quotient', 'snowmelt')(number, by) -}}
{%- endmacro %}


{% macro duckdb__quotient(number, by) -%}
    cast({{ number }} as hugeint) // nullif(cast({{ by }} as hugeint), 0)
{%- endmacro %}


{#- Texts with something between them; those that are null are left out. -#}
{% macro joined(separator, texts) -%}
    {{- adapter.dispatch('joined', 'snowmelt')(separator, texts) -}}
{%- endmacro %}


{% macro duckdb__joined(separator, texts) -%}
    concat_ws({{ snowmelt.literal(separator) }}, {{ texts | join(', ') }})
{%- endmacro %}


{#- A number as one with so many digits, or null where it has more. -#}
{% macro try_decimal(number, digits, decimals) -%}
    {{- adapter.dispatch('try_decimal', 'snowmelt')(number, digits, decimals) -}}
{%- endmacro %}


{% macro duckdb__try_decimal(number, digits, decimals) -%}
    try_cast({{ number }} as decimal({{ digits }}, {{ decimals }}))
{%- endmacro %}


{#- A day that begins a text, yyyymmdd or yyyy-mm-dd; null for a day that no calendar has. -#}
{% macro try_day(text, dashes=true) -%}
    {{- adapter.dispatch('try_day', 'snowmelt')(text, dashes) -}}
{%- endmacro %}


{% macro duckdb__try_day(text, dashes) -%}
    cast(try_strptime(({{ text }})[1:{{ 10 if dashes else 8 }}], '{{ "%Y-%m-%d" if dashes else "%Y%m%d" }}') as date)
{%- endmacro %}


{#- The moment (UTC) of a number of microseconds since 1970. -#}
{% macro moment_of(microseconds) -%}
    {{- adapter.dispatch('moment_of', 'snowmelt')(microseconds) -}}
{%- endmacro %}


{% macro duckdb__moment_of(microseconds) -%}
    make_timestamp(cast({{ microseconds }} as bigint))
{%- endmacro %}


{#- The last value of a window that is not null; `over (…)` follows. -#}
{% macro last_known(value) -%}
    {{- adapter.dispatch('last_known', 'snowmelt')(value) -}}
{%- endmacro %}


{% macro duckdb__last_known(value) -%}
    last_value({{ value }} ignore nulls)
{%- endmacro %}
