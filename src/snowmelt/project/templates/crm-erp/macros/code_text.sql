{#- A code of a system: trimmed, in upper case; null where nothing is left. -#}
{% macro code_text(column) -%}
    nullif(upper(trim(regexp_replace({{ column }}, '[\s\pZ]+', ' ', 'g'))), '')
{%- endmacro %}
