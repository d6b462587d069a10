{#- Each run of letters and digits begins upper case and goes on lower: Anne-Marie O'Neil. -#}
{% macro title_case(text) -%}
    {{- adapter.dispatch('title_case')(text) -}}
{%- endmacro %}


{% macro duckdb__title_case(text) -%}
    array_to_string(
        list_transform(
            regexp_extract_all(lower({{ text }}), '[\pL\pM\pN]+|[^\pL\pM\pN]+'),
            lambda run: upper(run[1]) || run[2:]
        ),
        ''
    )
{%- endmacro %}


{% macro snowflake__title_case(text) -%}
    initcap(lower({{ text }}), ' \t\n\r!?@"^#$&~_,.:;+-*%/|()[]{}<>\'`=\\')
{%- endmacro %}
