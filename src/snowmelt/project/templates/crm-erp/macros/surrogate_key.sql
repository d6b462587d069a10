{#-
    A key made from business keys, and from nothing else: it is the same in every run, in whatever
    order rows came, and known before the row that it points to has arrived.
-#}
{% macro surrogate_key(columns) -%}
    {%- set texts = [] -%}
    {%- for column in columns -%}{%- do texts.append('cast(' ~ column ~ ' as varchar)') -%}{%- endfor -%}
    md5({{ snowmelt.joined('|', texts) }})
{%- endmacro %}
