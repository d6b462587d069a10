{#- Male, Female or n/a, of any spelling. -#}
{% macro gender(column) -%}
    case
        when {{ code_text(column) }} in ('M', 'MALE') then 'Male'
        when {{ code_text(column) }} in ('F', 'FEMALE') then 'Female'
        else 'n/a'
    end
{%- endmacro %}
