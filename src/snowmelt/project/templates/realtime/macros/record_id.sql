{#- An id as text, trimmed; a whole number that was written as a float loses its '.0'. -#}
{% macro record_id(column) -%}
    nullif(regexp_replace(trim({{ column }}), '^(\d+)\.0+$', '\1'), '')
{%- endmacro %}
