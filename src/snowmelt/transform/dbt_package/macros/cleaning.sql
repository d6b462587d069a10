{#- Expressions that models of raw files need again and again: each makes one value of one. -#}


{#-
    An id as text, trimmed; a whole number that was written as a float loses its '.0'. Only an
    id that may be so is looked into: there may be many millions of others.
-#}
{% macro record_id(column) -%}
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
    nullif(trim(regexp_replace({{ column }}, '[\s\pZ]+', ' ', 'g')), '')
{%- endmacro %}


{#-
    A moment (UTC) of a date or time as ISO 8601 text; without an offset it is in UTC. Null for
    what is none. Seconds may be left out, which the engine allows before no offset.
-#}
{% macro moment(column) -%}
    case
        when {{ column }} like '____-__-_____:__:__' or {{ column }} like '____-__-__'
        then try_cast({{ column }} as timestamp)
        when regexp_full_match(trim({{ column }}), '[12]\d{3}-\d{2}-\d{2}([T ]\d.*)?')
        then try_cast(
            regexp_replace(trim({{ column }}), '^(.{11}\d{2}:\d{2})(Z|[+-].*)$', '\1:00\2') as timestamptz
        ) at time zone 'UTC'
    end
{%- endmacro %}


{#-
    An amount by a number, to hundredths, half up; null unless the number is above 0. In whole
    numbers: a plain quotient is a float, and a cast of it gets some halves wrong.
-#}
{% macro average(amount, number) -%}
    case
        when {{ number }} > 0
        then cast(floor((200 * {{ amount }} + {{ number }}) / (2 * {{ number }})) / 100 as decimal(18, 2))
    end
{%- endmacro %}
