{#-
    A text without space around it; null for nothing. Only a text that has some is trimmed:
    there may be many millions of others.
-#}
{% macro trimmed(column) -%}
    nullif(
        case
            when {{ column }} like ' %' or {{ column }} like '% ' then trim({{ column }})
            else {{ column }}
        end,
        ''
    )
{%- endmacro %}
