{#-
    Gold: only the groups that changed rows touch are made again, whole, by the model's own SQL.

        {{ config(materialized='affected_keys', unique_key='month') }}

        with

        {% call snowmelt.affected() %}
            select month from {{ snowmelt.stream(ref('fct_orders')) }}
        {% endcall %}

        orders as (
            select * from {{ ref('fct_orders') }}
            where {{ snowmelt.is_affected('month') }}
        )

        select month, count(*) as orders from orders group by month

    unique_key: the columns that name a row. affected_by: the columns that name a group which is
    made again as a whole, where that is more than a row: the items of an order, the versions of
    a customer in a dimension with history.

    `affected` names the groups that changed rows touch: as they were (DELETE) and as they are
    (INSERT). It may name too many, never too few. Everything the model makes for these groups
    replaces what is here for them. The rest of the model reads its tables as they are;
    `is_affected` restricts them. Built from nothing, it is the same SQL without the
    restriction. The key of a group is never null.

    cluster_by: columns in whose order the table is written when it is built from nothing, as
    dbt-snowflake does (https://docs.getdbt.com/reference/resource-configs/snowflake-configs). Where
    what arrives is of a few days, order a large table by its day: the days that are touched lie
    together, and only they are read.

    The log of changes gets each row that came out otherwise, as it was and as it is.
-#}
{% macro affected() -%}

    affected as (/* affected keys */ {{ caller() }} /* end of affected keys */),

{%- endmacro %}


{#-
    The condition that a row has an affected key: expressions, in the order of affected_by.
    Built from nothing it holds for every row; the comment keeps what it is about for a trace.
-#}
{% macro is_affected() -%}

    {%- if snowmelt.reads_changes() -%}
        {%- set keys = snowmelt.group_keys() -%}
        {%- if varargs | length == 1 -%}
            {{ varargs[0] }} in (select {{ keys[0] }} from affected)
        {%- else -%}
            ({{ varargs | join(', ') }}) in (select {{ keys | join(', ') }} from affected)
        {%- endif -%}
    {%- else -%}
        true /* is affected: {{ varargs | join(', ') | replace('*/', '') }} */
    {%- endif -%}

{%- endmacro %}


{% macro group_keys() -%}
    {{- return(snowmelt.as_list(config.get('affected_by') or config.get('unique_key'))) -}}
{%- endmacro %}


{% materialization affected_keys, adapter='duckdb' %}

    {%- set there = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set keys = snowmelt.group_keys() -%}
    {%- if not config.get('unique_key') -%}
        {{ exceptions.raise_compiler_error("affected_keys: " ~ model.name ~ " needs a unique_key: the columns that name a row") }}
    {%- endif -%}
    {%- set changes_only = snowmelt.reads_changes() -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if there is not none and there.is_view -%}
        {%- do adapter.drop_relation(there) -%}
    {%- endif -%}
    {%- if changes_only -%}
        {%- do snowmelt.affected_from_changes(target_relation, keys) -%}
    {%- else -%}
        {%- call statement('main') -%}
            create or replace table {{ target_relation }} as {{ snowmelt.with_keys(compiled_code, keys) }}
            {%- if config.get('cluster_by') %}
            order by {{ snowmelt.as_list(config.get('cluster_by')) | join(', ') }}
            {%- endif %}
        {%- endcall -%}
        {#- what only later runs read is found wrong now -#}
        {%- call statement('affected') -%}
            explain select {{ keys | join(', ') }} from ({{ snowmelt.around_affected()[1] }})
        {%- endcall -%}
        {%- if target.name == 'local' -%}
            {%- do snowmelt.begin_log(target_relation) -%}
            {%- call statement('offsets') -%}{{ snowmelt.offsets_moved() }}{%- endcall -%}
        {%- endif -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}


{#- The model's SQL in three parts: before the affected keys, what they are, and the rest. -#}
{% macro around_affected() -%}

    {%- set parts = compiled_code.split('/* affected keys */') -%}
    {%- if parts | length != 2 -%}
        {{ exceptions.raise_compiler_error(
            "affected_keys: " ~ model.name ~ " must say once which keys are affected, with {% call snowmelt.affected() %}"
        ) }}
    {%- endif -%}
    {%- set rest = parts[1].split('/* end of affected keys */') -%}
    {{- return((parts[0], rest[0], rest[1])) -}}

{%- endmacro %}


{#- The model's rows; one without its key is an error, since nothing would ever replace it. -#}
{% macro with_keys(sql, keys) -%}
    select * from (
        {{ sql }}
    )
    where case
        when {% for key in keys %}{{ key }} is null{{ ' or ' if not loop.last }}{% endfor %}
        then error('{{ model.name }}: a row has no {{ keys | join(", ") }}; rows of an affected_keys model need their key')
        else true
    end
{%- endmacro %}


{% macro affected_from_changes(relation, keys) -%}

    {%- set affected = snowmelt.scratch('affected') -%}
    {%- set after = snowmelt.scratch('after') -%}
    {%- set changed = snowmelt.scratch('changed') -%}
    {%- set key_list = keys | join(', ') -%}
    {%- set before, block, rest = snowmelt.around_affected() -%}

    {%- call statement('affected') -%}
        create or replace temp table {{ affected }} as
        select distinct {{ key_list }} from ({{ block }})
        where {% for key in keys %}{{ key }} is not null{{ ' and ' if not loop.last }}{% endfor %}
    {%- endcall -%}
    {%- call statement('after') -%}
        create or replace temp table {{ after }} as
        select made as _row
        from ({{ snowmelt.with_keys(before ~ 'select * from ' ~ affected ~ rest, keys) }}) as made
        where ({{ key_list }}) in (select {{ key_list }} from {{ affected }})
        {{ snowmelt.only_where_rows_in(affected) }}
    {%- endcall -%}
    {%- call statement('changed') -%}
        create or replace temp table {{ changed }} as
        with
        compared as (
            select _row, sum(copies) as copies, list(_rowid) filter (_rowid is not null) as _rowids
            from (
                select here.rowid as _rowid, here as _row, -1 as copies
                from {{ relation }} as here
                where {{ snowmelt.rows_with_keys(relation, key_list, affected) }}
                union all
                select cast(null as bigint) as _rowid, _row, 1 as copies from {{ after }}
            )
            group by _row
            having sum(copies) <> 0
        )
        select
            unnest(case
                when copies < 0 then _rowids[1 : cast(-copies as bigint)]
                else list_resize(cast([] as bigint[]), cast(copies as bigint))
            end) as _rowid,
            unnest(_row),
            case when copies < 0 then 'DELETE' else 'INSERT' end as "METADATA$ACTION"
        from compared
        {{ snowmelt.only_where_rows_in(affected) }}
    {%- endcall -%}
    {%- do snowmelt.apply_changed(relation, changed) -%}

{%- endmacro %}
