{#-
    The configuration of a model that Snowflake keeps fresh by itself: a dynamic table there, made
    and changed by dbt (https://docs.getdbt.com/reference/resource-configs/snowflake-configs), and
    a table here, made by the runs that its target lag calls.

        {{ snowmelt.dynamic_table('10 minutes') }}

        select … from {{ ref('fct_orders') }}

    It reads models by ref(), not streams. There it is no part of a run: it is refreshed when it is
    due, also where a test of the run before has failed.
-#}
{% macro dynamic_table(target_lag) -%}

    {%- if target.type == 'snowflake' -%}
        {{- config(
            materialized='dynamic_table',
            target_lag=target_lag | lower,
            snowflake_warehouse=target.warehouse,
            meta={'target_lag': target_lag}
        ) -}}
    {%- else -%}
        {{- config(materialized='table', meta={'target_lag': target_lag}) -}}
    {%- endif -%}

{%- endmacro %}
