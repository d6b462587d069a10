{#-
    The time (UTC) of a text: ISO 8601, without an offset in UTC; or a number of seconds (9 or 10
    digits) or milliseconds (12 or 13) since 1970. Null for what is none of these.
-#}
{% macro event_time(column) -%}
    case
        when {{ snowmelt.full_match('trim(' ~ column ~ ')', '[0-9]{12,13}(\\.[0-9]{1,3})?') }}
        then {{ snowmelt.moment_of('cast(trim(' ~ column ~ ') as decimal(38, 3)) * 1000') }}
        when {{ snowmelt.full_match('trim(' ~ column ~ ')', '[0-9]{9,10}(\\.[0-9]{1,6})?') }}
        then {{ snowmelt.moment_of('cast(trim(' ~ column ~ ') as decimal(38, 6)) * 1000000') }}
        else {{ snowmelt.moment(column) }}
    end
{%- endmacro %}
