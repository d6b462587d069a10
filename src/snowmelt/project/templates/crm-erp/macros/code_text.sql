{#- A code of a system: trimmed, in upper case; null where nothing is left. -#}
{% macro code_text(column) -%}
    upper({{ snowmelt.one_line(column) }})
{%- endmacro %}
