{#-
    affected_keys on Snowflake: the same SQL. What the streams tell is read into a temporary table of
    keys, and what is made for these keys into another one, in the transaction that writes the rows.
-#}
{% materialization affected_keys, adapter='snowflake' %}

    {%- set there = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set groups = snowmelt.group_keys() -%}
    {%- set keys = snowmelt.row_keys() -%}
    {%- if not config.get('unique_key') -%}
        {{ exceptions.raise_compiler_error("affected_keys: " ~ model.name ~ " needs a unique_key: the columns that name a row") }}
    {%- endif -%}
    {%- set streams = snowmelt.streams_in(compiled_code) -%}
    {%- set changes_only = snowmelt.reads_changes() -%}
    {%- do snowmelt.tag_queries() -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if not changes_only -%}
        {%- set made = snowmelt.temporary('made') -%}
        {%- do snowmelt.begin_streams(streams) -%}
        {%- do run_query('create or replace temporary table ' ~ made ~ ' as ' ~ compiled_code) -%}
        {%- do snowmelt.require_keys(made, keys + groups) -%}
        {%- do snowmelt.settle(target_relation, there, made, keys) -%}
        {%- do run_query('drop table if exists ' ~ made) -%}
    {%- elif snowmelt.have_data(streams) -%}
        {%- do snowmelt.affected_by_streams(target_relation, keys, groups) -%}
    {%- else -%}
        {%- call statement('main') -%}select 'nothing new' as status{%- endcall -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {%- do snowmelt.untag_queries() -%}
    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}


{% macro affected_by_streams(relation, keys, groups) -%}

    {%- set affected = snowmelt.temporary('affected') -%}
    {%- set after = snowmelt.temporary('after') -%}
    {%- set group_list = groups | join(', ') -%}
    {%- set names = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- set before, block, rest = snowmelt.around_affected() -%}

    {%- do run_query('create or replace temporary table ' ~ affected ~ ' as select ' ~ group_list ~ ' from ' ~ relation ~ ' where false') -%}
    {%- do run_query('create or replace temporary table ' ~ after ~ ' as select * from ' ~ relation ~ ' where false') -%}
    {%- call statement('main') -%}
        {{ snowmelt.atomically([
            'insert into ' ~ affected ~ ' select distinct ' ~ group_list ~ ' from (' ~ block ~ ') as touched where '
            ~ groups | join(' is not null and ') ~ ' is not null',
            'insert into ' ~ after ~ ' (' ~ names | join(', ') ~ ') select ' ~ names | join(', ') ~ ' from ('
            ~ before ~ 'select * from ' ~ affected ~ rest ~ ') as made where (' ~ group_list ~ ') in (select ' ~ group_list ~ ' from ' ~ affected ~ ')',
            snowmelt.refusing_no_key(after, keys + groups),
        ] + snowmelt.becoming(
            relation, after, keys, names, '(' ~ group_list ~ ') in (select ' ~ group_list ~ ' from ' ~ affected ~ ')'
        )) }}
    {%- endcall -%}

{%- endmacro %}


{#- The same of what was made from nothing. -#}
{% macro require_keys(table, keys) -%}
    {%- if run_query('select count(*) from ' ~ table ~ ' where ' ~ keys | unique | join(' is null or ') ~ ' is null').rows[0][0] > 0 -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": a row has no key; rows of this model need " ~ keys | unique | join(', ')
        ) }}
    {%- endif -%}
{%- endmacro %}
