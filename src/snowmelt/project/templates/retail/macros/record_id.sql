{#-
    An id as text, trimmed; a whole number that was written as a float loses its '.0'. Only an
    id that may be so is looked into: there may be many millions of others.
-#}
{% macro record_id(column) -%}
    nullif(
        case
            when starts_with({{ column }}, ' ') or ends_with({{ column }}, ' ') or ends_with({{ column }}, '.0')
            then regexp_replace(trim({{ column }}), '^(\d+)\.0$', '\1')
            else {{ column }}
        end,
        ''
    )
{%- endmacro %}
