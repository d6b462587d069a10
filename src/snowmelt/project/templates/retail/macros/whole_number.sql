{#- A whole number as text, with a fraction of nothing or without one: 34, 34.0, ' 7 '. -#}
{% macro whole_number(column) -%}
    case
        when {{ snowmelt.full_match('trim(' ~ column ~ ')', '[+-]?[0-9]{1,9}(\\.0*)?') }}
        then cast(cast(trim({{ column }}) as decimal(18, 6)) as integer)
    end
{%- endmacro %}
