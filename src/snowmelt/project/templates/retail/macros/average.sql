{#- Money by a number, to cents, half up, in whole numbers: a plain quotient gets some half cents wrong. -#}
{% macro average(amount, number) -%}
    case
        when {{ number }} > 0
        then cast(floor((200 * {{ amount }} + {{ number }}) / (2 * {{ number }})) / 100 as decimal(18, 2))
    end
{%- endmacro %}
