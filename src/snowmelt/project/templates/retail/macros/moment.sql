{#-
    A moment (UTC) of a date or time as ISO 8601 text; null for what is none. What has an offset
    or fractions of a second goes the slower way: a plain timestamp would forget the offset.
-#}
{% macro moment(column) -%}
    case
        when length({{ column }}) > 19
            or contains({{ column }}[14:], '+')
            or contains({{ column }}[14:], '-')
        then cast(try_cast(trim({{ column }}) as timestamptz) as timestamp)
        else try_cast({{ column }} as timestamp)
    end
{%- endmacro %}
