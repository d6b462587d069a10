{#-
    Target dev writes beside what readers see (dev_gold), every other target in it (gold); on
    Snowflake what is built becomes it when it is tested.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}

    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.name == 'dev' -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- else -%}
        {{ snowmelt.built_in(custom_schema_name | trim) }}
    {%- endif -%}

{%- endmacro %}
