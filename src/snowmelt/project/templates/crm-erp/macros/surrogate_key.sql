{#-
    A key made from business keys, and from nothing else: it is the same in every run, in whatever
    order rows came, and known before the row that it points to has arrived.
-#}
{% macro surrogate_key(columns) -%}
    md5(concat_ws('|', {% for column in columns %}cast({{ column }} as varchar){{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}
