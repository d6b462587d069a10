{#-
    The number that CRM and ERP share, as the CRM writes it: AW00011000. The ERP puts NAS before
    it in one file (NASAW00011000) and a dash inside in another (AW-00011000).
-#}
{% macro customer_number(column) -%}
    nullif(
        {{ snowmelt.replaced("replace(" ~ code_text(column) ~ ", '-', '')", '^NAS', '') }},
        ''
    )
{%- endmacro %}
