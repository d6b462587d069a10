{#-
    The day (UTC) of a date as text: ISO 8601, or milliseconds since 1970 as pandas writes
    them. Null for what is neither: a number of fewer digits counts something else.
-#}
{% macro sale_day(column) -%}
    case
        when {{ snowmelt.full_match('trim(' ~ column ~ ')', '[0-9]{12,13}(\\.0*)?') }}
        then cast({{ snowmelt.moment_of('cast(trim(' ~ column ~ ') as decimal(18, 1)) * 1000') }} as date)
        when {{ snowmelt.full_match('trim(' ~ column ~ ')', '[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ][0-9].*)?') }}
        then cast({{ snowmelt.moment(column) }} as date)
    end
{%- endmacro %}
