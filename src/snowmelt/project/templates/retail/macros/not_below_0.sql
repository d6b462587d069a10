{#- 0 for what is below it; null stays null. -#}
{% macro not_below_0(value) -%}
    case when {{ value }} < 0 then 0 else {{ value }} end
{%- endmacro %}
