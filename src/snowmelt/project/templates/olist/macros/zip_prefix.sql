{#- A zip prefix as text of five digits; published files lose leading zeros. -#}
{% macro zip_prefix(column) -%}
    case
        when length(trim({{ column }})) between 1 and 4 then lpad(trim({{ column }}), 5, '0')
        else nullif(trim({{ column }}), '')
    end
{%- endmacro %}
