{#- Each run of letters and digits begins upper case and goes on lower: Anne-Marie O'Neil. -#}
{% macro title_case(text) -%}
    array_to_string(
        list_transform(
            regexp_extract_all(lower({{ text }}), '[\pL\pM\pN]+|[^\pL\pM\pN]+'),
            lambda run: upper(run[1]) || run[2:]
        ),
        ''
    )
{%- endmacro %}
