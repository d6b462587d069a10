{#- A text without space around it; null for nothing. -#}
{% macro trimmed(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}
