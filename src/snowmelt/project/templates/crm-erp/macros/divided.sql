{#-
    A quotient to two decimals, half away from zero, without a float: the same cents whatever the
    engine. `by` is a whole number; null where it is 0.
-#}
{% macro divided(amount, by) -%}
    cast(
        sign({{ amount }}) * cast(
            {{ snowmelt.quotient(
                '2 * abs(cast(100 * (' ~ amount ~ ') as decimal(38, 0))) + (' ~ by ~ ')', '2 * (' ~ by ~ ')'
            ) }}
            as decimal(26, 0)
        ) * cast(0.01 as decimal(3, 2))
        as decimal(24, 2)
    )
{%- endmacro %}
