{#-
    A moment (UTC) of a date or time as ISO 8601 text; null for what is none. What has an offset
    or fractions of a second goes the slower way: a plain timestamp would forget the offset.
-#}
{% macro moment(column) -%}
    case
        when {{ column }} like '____-__-_____:__:__' or strlen({{ column }}) = 10
        then try_cast({{ column }} as timestamp)
        else cast(try_cast(trim({{ column }}) as timestamptz) as timestamp)
    end
{%- endmacro %}
