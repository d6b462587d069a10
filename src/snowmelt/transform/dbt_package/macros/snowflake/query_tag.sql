{#-
    Which model a statement is for. dbt says it in a comment at a statement's end; the statements
    inside a block of Snowflake Scripting have none, and they are the ones that take time. So our
    materializations tag their session: QUERY_HISTORY then has it for each of them, and what a
    model costs can be told. A model's own query_tag is left as it is.

    https://docs.snowflake.com/en/sql-reference/parameters#query-tag
-#}
{% macro tag_queries() -%}
    {%- if config.get('query_tag') -%}
        {%- do set_query_tag() -%}
    {%- else -%}
        {%- set tag = tojson({'app': 'snowmelt', 'node': model.unique_id, 'invocation': invocation_id}) -%}
        {%- do run_query("alter session set query_tag = '" ~ (tag | replace("'", "''")) ~ "'") -%}
    {%- endif -%}
{%- endmacro %}


{#- What comes next on the session is of another model, or of the profile's tag. -#}
{% macro untag_queries() -%}
    {%- set own = target.get('query_tag') -%}
    {%- if own -%}
        {%- do run_query("alter session set query_tag = '" ~ (own | replace("'", "''")) ~ "'") -%}
    {%- else -%}
        {%- do run_query("alter session unset query_tag") -%}
    {%- endif -%}
{%- endmacro %}
