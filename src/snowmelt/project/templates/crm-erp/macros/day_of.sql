{#-
    A day written as yyyymmdd (a number, perhaps as a float) or in ISO 8601. Null for what is
    neither: 0, a number of another length, a day that no calendar has.
-#}
{% macro day_of(column) -%}
    case
        when regexp_full_match(trim({{ column }}), '[12]\d{7}(\.0*)?')
        then cast(try_strptime(trim({{ column }})[1:8], '%Y%m%d') as date)
        when regexp_full_match(trim({{ column }}), '[12]\d{3}-\d{2}-\d{2}([T ]\d{2}:.*)?')
        then cast(try_strptime(trim({{ column }})[1:10], '%Y-%m-%d') as date)
    end
{%- endmacro %}
