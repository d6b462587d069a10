{#-
    The day (UTC) of a date as text: ISO 8601, or milliseconds since 1970 as pandas writes
    them. Null for what is neither: a number of fewer digits counts something else.
-#}
{% macro sale_day(column) -%}
    case
        when regexp_full_match(trim({{ column }}), '\d{12,13}(\.0*)?')
        then cast(epoch_ms(cast(cast(trim({{ column }}) as decimal(18, 1)) as bigint)) as date)
        when regexp_full_match(trim({{ column }}), '[12]\d{3}-\d{2}-\d{2}([T ]\d.*)?')
        then cast(try_cast(trim({{ column }}) as timestamptz) as date)
    end
{%- endmacro %}
