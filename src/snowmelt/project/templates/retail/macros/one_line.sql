{#- A text without space around it, and with one space where there were several. -#}
{% macro one_line(column) -%}
    nullif(trim(regexp_replace({{ column }}, '[\s\pZ]+', ' ', 'g')), '')
{%- endmacro %}
