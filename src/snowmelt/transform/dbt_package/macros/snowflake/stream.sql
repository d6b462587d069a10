{#-
    Streams on Snowflake: each model that reads one owns it, SNOWMELT_S__<model>__<table> in the
    model's schema. On a table of bronze it is append-only, on the rows of all loads; on a model it
    is a standard stream.

    A stream moves when a transaction that reads it by DML commits
    (https://docs.snowflake.com/en/user-guide/streams-intro), so the materializations read it in
    the one transaction that writes what was made of it. Its comment holds a digest of the model's
    SQL: a model that says something else now is built from nothing, as one is whose stream is
    stale or gone.

    Built from nothing, streams begin before the rows are read. What comes in between is read
    twice, which changes nothing: a key is made again from what there is.
-#}
{% macro snowflake__stream_of(relation, of_source, columns) -%}

    {%- if execute and config.get('materialized') == 'incremental' -%}
        {{ exceptions.raise_compiler_error(
            "snowmelt.stream: " ~ model.name ~ " is incremental; on Snowflake the models that read streams are "
            ~ "materialized as latest_version or affected_keys"
        ) }}
    {%- endif -%}
    {%- set mark = snowmelt.stream_mark(relation, of_source) -%}
    {%- if config.get('materialized') == 'latest_version' -%}
        {{- return(snowmelt.live_rows(relation) ~ mark) -}}
    {%- endif -%}
    {%- if not snowmelt.reads_changes() -%}
        {{- return(snowmelt.all_as_changes(relation, columns) ~ mark) -}}
    {%- endif -%}
    {%- if columns -%}
        {{- return('(select ' ~ columns | join(', ') ~ ', METADATA$ACTION from ' ~ snowmelt.own_stream(relation) ~ ')' ~ mark) -}}
    {%- endif -%}
    {{- return('(select * from ' ~ snowmelt.own_stream(relation) ~ ')' ~ mark) -}}

{%- endmacro %}


{#- The name of this model's stream on a relation. -#}
{% macro own_stream(relation) -%}
    {{- return(
        this.include(identifier=false) ~ '.SNOWMELT_S__'
        ~ (this.identifier ~ '__' ~ relation.schema ~ '_' ~ relation.identifier) | upper
    ) -}}
{%- endmacro %}


{#- What the materializations find in compiled SQL: which streams it reads, and of what. -#}
{% macro stream_mark(relation, of_source) -%}
    {%- set on_table = relation ~ '__all' if of_source else relation | string -%}
    {{- return(
        ' /* snowmelt stream ' ~ snowmelt.own_stream(relation) ~ ' on ' ~ on_table
        ~ (' append' if of_source else ' standard') ~ ' */'
    ) -}}
{%- endmacro %}


{#- The streams that compiled SQL reads: name, on, append_only. -#}
{% macro streams_in(sql) -%}
    {%- set found, names = [], [] -%}
    {%- for name, on_table, kind in modules.re.findall('/[*] snowmelt stream ([^ ]+) on ([^ ]+) (append|standard) [*]/', sql)
        if name not in names -%}
        {%- do names.append(name) -%}
        {%- do found.append({'name': name, 'on': on_table, 'append_only': kind == 'append'}) -%}
    {%- endfor -%}
    {{- return(found) -}}
{%- endmacro %}


{% macro stream_digest() -%}
    {{- return('snowmelt ' ~ local_md5(model.raw_code)) -}}
{%- endmacro %}


{#- Are this model's streams there, on the same model, and not stale? -#}
{% macro snowflake__streams_go_on() -%}

    {%- set mine = 'SNOWMELT_S__' ~ (this.identifier | upper) ~ '__' -%}
    {%- set found, good = [], [] -%}
    {%- for row in run_query("show streams like 'SNOWMELT%' in schema " ~ this.include(identifier=false)).rows
        if row['name'].startswith(mine) -%}
        {%- do found.append(row['name']) -%}
        {%- if row['comment'] == snowmelt.stream_digest() and (row['stale'] | string | lower) == 'false' -%}
            {%- do good.append(row['name']) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(good | length > 0 and good | length == found | length) -}}

{%- endmacro %}


{#- Begin this model's streams anew: they tell of what comes from now on. -#}
{% macro begin_streams(streams) -%}
    {%- for stream in streams -%}
        {%- do run_query(
            'create or replace stream ' ~ stream.name ~ ' on table ' ~ stream.on
            ~ (' append_only = true' if stream.append_only else '')
            ~ " comment = '" ~ snowmelt.stream_digest() ~ "'"
        ) -%}
    {%- endfor -%}
{%- endmacro %}


{#- Has any of these streams rows? May say yes without need, never no: and it keeps them from growing stale. -#}
{% macro have_data(streams) -%}
    {%- set asked = [] -%}
    {%- for stream in streams -%}
        {%- do asked.append("system$stream_has_data('" ~ stream.name ~ "')") -%}
    {%- endfor -%}
    {{- return((run_query('select ' ~ asked | join(' or ')).rows[0][0] | string | lower) in ('true', '1')) -}}
{%- endmacro %}


{#- A temporary table of this model. -#}
{% macro temporary(name) -%}
    {{- return(api.Relation.create(
        database=this.database, schema=this.schema,
        identifier='SNOWMELT_T__' ~ (this.identifier ~ '__' ~ name) | upper, type='table'
    )) -}}
{%- endmacro %}


{#-
    Statements that happen all or not at all, sent as one: a model that fails half-way must not
    leave an open transaction to what its session does next, since the next definition would commit it.
    (https://docs.snowflake.com/en/developer-guide/snowflake-scripting/exceptions)
-#}
{% macro atomically(statements) -%}
    {{- return(snowmelt.one_block(
        statements,
        'no_key exception (-20001, ' ~ snowmelt.literal(
            model.name ~ ': a row has no key; rows of this model need ' ~ snowmelt.row_keys() | join(', ')
        ) ~ ')'
    )) -}}
{%- endmacro %}


{% macro one_block(statements, declared='') -%}

    {%- set body = statements | join(';\n    ') -%}
    {%- if '$$' in body -%}
        {{ exceptions.raise_compiler_error("'$$' cannot stand in a model that is built by a block of Snowflake Scripting") }}
    {%- endif -%}
execute immediate $$
{%- if declared %}
declare
    {{ declared }};
{%- endif %}
begin
    begin transaction;
    {{ body }};
    commit;
exception
    when other then
        rollback;
        raise;
end;
$$
{%- endmacro %}


{#- The statement of a block that ends it where a row has no key: nothing would ever replace that row. -#}
{% macro refusing_no_key(table, keys) -%}
    {{- return('if (exists (select 1 from ' ~ table ~ ' where ' ~ keys | unique | join(' is null or ') ~ ' is null)) then raise no_key; end if') -}}
{%- endmacro %}


{#- The columns that name a row of this model. -#}
{% macro row_keys() -%}
    {{- return(snowmelt.as_list(config.get('unique_key')) or ['_file', '_file_row', '_load_seq']) -}}
{%- endmacro %}


{#-
    Statements by which the rows of a scope in a table become those of another one. Rows that are
    in both stay as they are, so that streams on the table tell of what is otherwise, and of
    nothing else.
-#}
{% macro becoming(relation, after, keys, columns, scope) -%}

    {%- set names = columns | join(', ') -%}
    {%- set key_list = keys | join(', ') -%}
    {{- return([
        'delete from ' ~ relation ~ ' where ' ~ scope ~ ' and (' ~ key_list ~ ') in ('
        ~ 'select ' ~ key_list ~ ' from (select ' ~ names ~ ' from ' ~ relation ~ ' where ' ~ scope
        ~ ' except select ' ~ names ~ ' from ' ~ after ~ ') as gone)',
        'insert into ' ~ relation ~ ' (' ~ names ~ ') select ' ~ names ~ ' from ' ~ after
        ~ ' where (' ~ key_list ~ ') not in (select ' ~ key_list ~ ' from ' ~ relation ~ ' where ' ~ scope ~ ')',
    ]) -}}

{%- endmacro %}


{#-
    Put what was made from nothing in the place of what is there. A table with the same columns
    stays the same table, for streams on it would be lost with it.
-#}
{% macro settle(relation, there, made, keys) -%}

    {%- set columns = adapter.get_columns_in_relation(made) -%}
    {%- set names = columns | map(attribute='name') | list -%}
    {%- if there is not none and not there.is_view
        and snowmelt.shape(adapter.get_columns_in_relation(there)) == snowmelt.shape(columns) -%}
        {%- call statement('main') -%}
            {{ snowmelt.atomically(snowmelt.becoming(relation, made, keys, names, 'true')) }}
        {%- endcall -%}
    {%- else -%}
        {%- if there is not none and there.is_view -%}
            {%- do adapter.drop_relation(there) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            create or replace table {{ relation }} as select * from {{ made }}
            {%- if config.get('cluster_by') %}
            order by {{ snowmelt.as_list(config.get('cluster_by')) | join(', ') }}
            {%- endif %}
        {%- endcall -%}
    {%- endif -%}

{%- endmacro %}


{% macro shape(columns) -%}
    {%- set found = [] -%}
    {%- for column in columns -%}
        {%- do found.append(column.name ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
    {{- return(found | sort | join(', ')) -}}
{%- endmacro %}
