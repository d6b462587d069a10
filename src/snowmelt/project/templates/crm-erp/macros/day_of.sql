{#-
    A day written as yyyymmdd (a number, perhaps as a float) or in ISO 8601. Null for what is
    neither: 0, a number of another length, a day that no calendar has.
-#}
{% macro day_of(column) -%}
    case
        when {{ snowmelt.full_match('trim(' ~ column ~ ')', '[12][0-9]{7}(\\.0*)?') }}
        then {{ snowmelt.try_day('trim(' ~ column ~ ')', dashes=false) }}
        when {{ snowmelt.full_match('trim(' ~ column ~ ')', '[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:.*)?') }}
        then {{ snowmelt.try_day('trim(' ~ column ~ ')') }}
    end
{%- endmacro %}
