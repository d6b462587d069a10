{#-
    An id as text, trimmed; a whole number that was written as a float loses its '.0'. The
    pattern is tried on such ids alone: there may be many millions of others.
-#}
{% macro record_id(column) -%}
    nullif(
        case
            when trim({{ column }}) like '%.0' then regexp_replace(trim({{ column }}), '^(\d+)\.0+$', '\1')
            else trim({{ column }})
        end,
        ''
    )
{%- endmacro %}
