{#-
    latest_version on Snowflake. Bronze there is a table of all rows and a view of those that
    count: of each file the rows of its newest content. So what a file that came can change is
    the rows of that name; where one of them was the version that counted, the next one is found among
    all rows that count.

    Without unique_key a row is named by its file, its place in it and its load.
-#}
{% materialization latest_version, adapter='snowflake' %}

    {%- set there = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set rules = snowmelt.rules_of(model) -%}
    {%- set bronze = snowmelt.only_source(model) -%}
    {%- set streams = snowmelt.streams_in(compiled_code) -%}
    {%- set changes_only = snowmelt.reads_changes() -%}
    {%- set columns = get_columns_in_query(compiled_code) -%}
    {%- do snowmelt.require_columns(model, rules, columns) -%}
    {%- do snowmelt.tag_queries() -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if not changes_only -%}
        {%- do snowmelt.begin_streams(streams) -%}
        {%- do snowmelt.latest_of_all(target_relation, there, rules, columns) -%}
    {%- elif snowmelt.have_data(streams) -%}
        {%- do snowmelt.latest_by_stream(target_relation, bronze, streams[0], rules, columns) -%}
    {%- else -%}
        {%- call statement('main') -%}select 'nothing new' as status{%- endcall -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {%- do snowmelt.untag_queries() -%}
    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}


{#- The rows of a table of bronze that count. -#}
{% macro live_rows(relation) -%}
    {{- return('(select * from ' ~ relation ~ ')') -}}
{%- endmacro %}


{#- The model's SQL over some of the rows that count. -#}
{% macro over_rows(bronze, condition) -%}
    {{- return(compiled_code | replace(
        snowmelt.live_rows(bronze), '(select * from ' ~ bronze ~ ' where ' ~ condition ~ ')'
    )) -}}
{%- endmacro %}


{#- Of judged rows those that pass, of each key the version that counts. -#}
{% macro newest_of(judged, names) -%}
    select {{ names }} from {{ judged }} as judged
    where _outcome = 'pass'
    {%- if config.get('unique_key') %}
    qualify row_number() over (
        partition by {{ snowmelt.row_keys() | join(', ') }}
        order by {{ snowmelt.order_of_truth(config.get('newest_by')) }}
    ) = 1
    {%- endif %}
{%- endmacro %}


{% macro latest_of_all(relation, there, rules, columns) -%}

    {%- set judged = snowmelt.temporary('judged') -%}
    {%- set made = snowmelt.temporary('made') -%}
    {%- set quarantine = snowmelt.quarantine_there(relation) -%}
    {%- do run_query('create or replace temporary table ' ~ judged ~ ' as ' ~ snowmelt.judged(rules, '(' ~ compiled_code ~ ')')) -%}
    {%- do run_query('create or replace temporary table ' ~ made ~ ' as ' ~ snowmelt.newest_of(judged, columns | join(', '))) -%}
    {%- do run_query('create schema if not exists ' ~ quarantine.schema) -%}
    {%- do run_query('create or replace table ' ~ quarantine.table ~ ' as ' ~ snowmelt.quarantined(judged, rules, columns)) -%}
    {%- do snowmelt.settle(relation, there, made, snowmelt.row_keys()) -%}

{%- endmacro %}


{% macro latest_by_stream(relation, bronze, stream, rules, columns) -%}

    {%- set files = snowmelt.temporary('files') -%}
    {%- set judged = snowmelt.temporary('judged') -%}
    {%- set touched = snowmelt.temporary('touched') -%}
    {%- set after = snowmelt.temporary('after') -%}
    {%- set keys = snowmelt.row_keys() -%}
    {%- set key_list = keys | join(', ') -%}
    {%- set names = columns | join(', ') -%}
    {%- set quarantine = snowmelt.quarantine_there(relation).table -%}
    {%- set is_snapshot = snowmelt.is_snapshot(bronze) -%}
    {%- set arrived = 'true' if is_snapshot else '(_stage_path in (select _stage_path from ' ~ files ~ '))' -%}
    {%- set of_arrived = 'true' if is_snapshot else '(_file in (select _file from ' ~ files ~ '))' -%}

    {%- do run_query('create or replace temporary table ' ~ files ~ ' as select _stage_path, _file from ' ~ bronze ~ ' where false') -%}
    {%- do run_query('create or replace temporary table ' ~ judged ~ ' as ' ~ snowmelt.judged(rules, '(' ~ snowmelt.over_rows(bronze, 'false') ~ ')')) -%}
    {%- do run_query('create or replace temporary table ' ~ touched ~ ' as select ' ~ key_list ~ ' from ' ~ relation ~ ' where false') -%}
    {%- do run_query('create or replace temporary table ' ~ after ~ ' as select * from ' ~ relation ~ ' where false') -%}

    {%- set key_is_touched = '(' ~ key_list ~ ') in (select ' ~ key_list ~ ' from ' ~ touched ~ ')' -%}
    {%- set statements = [
        'insert into ' ~ files ~ ' select distinct _stage_path, _file from ' ~ bronze
        ~ ' where _stage_path in (select _file from ' ~ stream.name ~ ')',
        'insert into ' ~ judged ~ ' ' ~ snowmelt.judged(rules, '(' ~ snowmelt.over_rows(bronze, arrived) ~ ')'),
        'insert into ' ~ touched ~ ' select distinct ' ~ key_list ~ ' from (select ' ~ key_list ~ ' from ' ~ judged
        ~ " where _outcome = 'pass' union all select " ~ key_list ~ ' from ' ~ relation ~ ' where ' ~ of_arrived ~ ') as all_of_them',
    ] -%}
    {%- if config.get('unique_key') and not is_snapshot -%}
        {#- where a version that counted may be gone, the next one is looked for among all rows -#}
        {%- do statements.append(
            'if (exists (select 1 from ' ~ relation ~ ' where ' ~ of_arrived ~ ')) then insert into ' ~ judged
            ~ ' select * from (' ~ snowmelt.judged(rules, '(' ~ snowmelt.over_rows(bronze, 'not ' ~ arrived) ~ ')')
            ~ ') as others where ' ~ "_outcome = 'pass' and (" ~ key_list ~ ') in (select ' ~ key_list ~ ' from ' ~ relation
            ~ ' where ' ~ of_arrived ~ '); end if'
        ) -%}
    {%- endif -%}
    {%- do statements.append(
        'insert into ' ~ after ~ ' (' ~ names ~ ') ' ~ snowmelt.newest_of(
            '(select ' ~ names ~ ', _outcome from ' ~ judged ~ ' union all select ' ~ names ~ ", 'pass' as _outcome from "
            ~ relation ~ ' where not ' ~ of_arrived ~ ' and ' ~ key_is_touched ~ ')', names
        )
    ) -%}
    {%- set statements = statements + snowmelt.becoming(relation, after, keys, columns, key_is_touched) + [
        'delete from ' ~ quarantine ~ ' where ' ~ of_arrived,
        'insert into ' ~ quarantine ~ ' ' ~ snowmelt.quarantined(judged, rules, columns),
    ] -%}
    {%- call statement('main') -%}{{ snowmelt.atomically(statements) }}{%- endcall -%}

{%- endmacro %}


{% macro quarantine_there(relation) -%}
    {%- set schema = relation.database ~ '.' ~ ('quarantine' if relation.schema | lower == 'silver' else relation.schema ~ '_quarantine') -%}
    {{- return({'schema': schema, 'table': schema ~ '.' ~ (relation.schema ~ '__' ~ relation.identifier) | upper}) -}}
{%- endmacro %}


{#- Is a table of bronze what its newest file says, as a whole? -#}
{% macro is_snapshot(bronze) -%}
    {%- for each in graph.sources.values() if each.schema == bronze.schema and each.identifier == bronze.identifier -%}
        {{- return((each.meta or {}).get('mode') == 'snapshot') -}}
    {%- endfor -%}
    {{- return(false) -}}
{%- endmacro %}
