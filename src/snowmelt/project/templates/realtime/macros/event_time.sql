{#-
    The time (UTC) of a text: ISO 8601, without an offset in UTC; or a number of seconds (9 or 10
    digits) or milliseconds (12 or 13) since 1970. Null for what is none of these.
-#}
{% macro event_time(column) -%}
    case
        when regexp_full_match(trim({{ column }}), '\d{12,13}(\.\d{1,3})?')
        then make_timestamp(cast(cast(trim({{ column }}) as decimal(38, 3)) * 1000 as bigint))
        when regexp_full_match(trim({{ column }}), '\d{9,10}(\.\d{1,6})?')
        then make_timestamp(cast(cast(trim({{ column }}) as decimal(38, 6)) * 1000000 as bigint))
        else {{ snowmelt.moment(column) }}
    end
{%- endmacro %}
