{#-
    Publication on Snowflake: what readers see is built beside it, and becomes it in one transaction.

    Models of a published schema (gold) are built and tested in a schema of their own (gold_next), by
    any materialization. At the end of a `dbt build` that made and tested all of it, the tables that
    readers have become what was built: rows are deleted and inserted, and nothing else is done in
    that transaction, so a reader's statement sees the run before or this one, in all tables. The
    tables stay the same tables: grants, policies, streams and views of others, and time travel live
    on (https://docs.snowflake.com/en/sql-reference/transactions).

    What changed in a table is told by a stream on it, SNOWMELT_P__<model>, which moves with the rows
    that it told of or not at all. A table without a key, or whose stream is stale or new, is compared
    as a whole.

    A run that fails publishes nothing. What it built stands in gold_next, where the next run goes on,
    and as it was refused in gold_refused, a zero-copy clone, until another run is refused.
-#}


{#- The schema that the models of a published schema are built in: for generate_schema_name. -#}
{% macro built_in(schema) -%}
    {%- if target.type == 'snowflake' and schema | lower in var('snowmelt_published', ['gold']) -%}
        {{- return(schema ~ '_next') -}}
    {%- endif -%}
    {{- return(schema) -}}
{%- endmacro %}


{#- The hook at the end of a run; it says what it did in the log of the pipeline. -#}
{% macro publish(results) -%}

    {%- if not execute or target.type != 'snowflake' or flags.WHICH != 'build' or flags.EMPTY -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set built = snowmelt.to_be_published() -%}
    {%- if not built -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set failed, missing = snowmelt.verdict_on(built, results) -%}
    {%- if failed -%}
        {%- do snowmelt.refuse(built, failed) -%}
    {%- elif missing -%}
        {%- do snowmelt.tell_publication(
            'left', 'not all that is published was built and tested by this build: ' ~ missing[:3] | join(', ')
            ~ (' and ' ~ (missing | length - 3) ~ ' more' if missing | length > 3 else ''), []
        ) -%}
    {%- else -%}
        {%- do snowmelt.make_public(built, results) -%}
    {%- endif -%}
    {{- return('') -}}

{%- endmacro %}


{#- What is published: models and other tables that are built beside what readers see. -#}
{% macro to_be_published() -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type in ('model', 'seed', 'snapshot') and node.config.materialized != 'ephemeral'
        and (node.schema | lower).endswith('_next') and (node.schema | lower)[:-5] in var('snowmelt_published', ['gold']) -%}
        {%- do found.append(node) -%}
    {%- endfor -%}
    {{- return(found) -}}
{%- endmacro %}


{#- What failed in this build, and what of that which is published it neither made nor tested. -#}
{% macro verdict_on(built, results) -%}

    {%- set status, failed, missing = {}, [], [] -%}
    {%- for result in results -%}
        {%- do status.update({result.node.unique_id: result.status | string}) -%}
        {%- if result.status | string in ('error', 'fail', 'runtime error', 'skipped', 'partial success') -%}
            {%- do failed.append(result.node.name ~ ' (' ~ result.status ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set ids = built | map(attribute='unique_id') | list -%}
    {%- for id, node in graph.nodes.items()
        if id not in status and (id in ids or (node.resource_type == 'test' and node.depends_on.nodes | select('in', ids) | list)) -%}
        {%- do missing.append(node.name) -%}
    {%- endfor -%}
    {{- return((failed, missing)) -}}

{%- endmacro %}


{#- The columns that name a row; a snapshot has several rows of a key. -#}
{% macro keys_of(node) -%}
    {{- return([] if node.resource_type == 'snapshot' else snowmelt.as_list(node.config.unique_key)) -}}
{%- endmacro %}


{% macro next_of(node) -%}
    {{- return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) -}}
{%- endmacro %}


{% macro published_of(node) -%}
    {{- return(api.Relation.create(database=node.database, schema=node.schema[:-5], identifier=node.alias)) -}}
{%- endmacro %}


{% macro publishing_stream(node) -%}
    {{- return(node.database ~ '.' ~ node.schema ~ '.SNOWMELT_P__' ~ node.alias | upper) -}}
{%- endmacro %}


{% macro make_public(built, results) -%}

    {%- set statements, tables, begun = [], [], [] -%}
    {%- for schema in built | map(attribute='schema') | unique -%}
        {%- do run_query('create schema if not exists ' ~ target.database ~ '.' ~ schema[:-5]) -%}
    {%- endfor -%}
    {%- set going_on = snowmelt.streams_that_go_on(built) -%}
    {%- for node in built if node.config.materialized != 'view' -%}
        {%- set stream = snowmelt.publishing_stream(node) -%}
        {%- set fits = snowmelt.fits(node) -%}
        {%- if fits and stream in going_on and not flags.FULL_REFRESH -%}
            {%- if going_on[stream] -%}
                {%- do statements.extend(snowmelt.published_by_stream(node)) -%}
                {%- do tables.append(node.alias) -%}
            {%- endif -%}
        {%- else -%}
            {#- killed from here on, the next run finds no stream that goes on, and compares the whole -#}
            {%- do run_query('drop stream if exists ' ~ stream) -%}
            {%- if not fits -%}
                {%- do snowmelt.make_fit(node) -%}
            {%- endif -%}
            {%- if snowmelt.keys_of(node) -%}
                {%- do run_query('create or replace stream ' ~ stream ~ ' on table ' ~ snowmelt.next_of(node)) -%}
                {%- do begun.append(stream) -%}
            {%- endif -%}
            {%- do statements.extend(snowmelt.published_as_a_whole(node)) -%}
            {%- do tables.append(node.alias) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if statements -%}
        {%- do statements.append(snowmelt.logged_publication('ok', '', tables)) -%}
        {%- do run_query(snowmelt.one_block(statements)) -%}
        {%- for stream in begun -%}
            {%- do run_query('alter stream ' ~ stream ~ " set comment = '" ~ snowmelt.goes_on() ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do snowmelt.publish_views(built, results) -%}
    {%- if statements -%}
        {%- do log('Published: ' ~ tables | join(', '), info=true) -%}
    {%- else -%}
        {%- do snowmelt.tell_publication('ok', '', []) -%}
    {%- endif -%}

{%- endmacro %}


{#- The comment of a stream whose table was published up to where it stands. -#}
{% macro goes_on() -%}
    {{- return('snowmelt: published up to here') -}}
{%- endmacro %}


{#- The streams that tell what changed since the last publication, by name: has each any rows? -#}
{% macro streams_that_go_on(built) -%}

    {%- set good, asked, told = [], [], {} -%}
    {%- for schema in built | map(attribute='schema') | unique -%}
        {%- for row in run_query(
            "show streams like 'SNOWMELT%' in schema " ~ target.database ~ '.' ~ schema
        ).rows if row['name'].startswith('SNOWMELT_P__') and (row['stale'] | string | lower) == 'false' and row['comment'] == snowmelt.goes_on() -%}
            {%- do good.append(target.database ~ '.' ~ schema ~ '.' ~ row['name']) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for node in built if snowmelt.publishing_stream(node) in good and snowmelt.keys_of(node) -%}
        {%- do asked.append(snowmelt.publishing_stream(node)) -%}
    {%- endfor -%}
    {%- if asked -%}
        {%- set questions = [] -%}
        {%- for name in asked -%}
            {%- do questions.append("system$stream_has_data('" ~ name ~ "')") -%}
        {%- endfor -%}
        {%- set answers = run_query('select ' ~ questions | join(', ')).rows[0] -%}
        {%- for name in asked -%}
            {%- do told.update({name: (answers[loop.index0] | string | lower) in ('true', '1')}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(told) -}}

{%- endmacro %}


{#- Has what readers see the columns of what was built? -#}
{% macro fits(node) -%}
    {%- set there = snowmelt.published_of(node) -%}
    {%- set found = adapter.get_relation(there.database, there.schema, there.identifier) -%}
    {%- if found is none or found.is_view -%}
        {{- return(false) -}}
    {%- endif -%}
    {{- return(
        snowmelt.shape(adapter.get_columns_in_relation(found))
        == snowmelt.shape(adapter.get_columns_in_relation(snowmelt.next_of(node)))
    ) -}}
{%- endmacro %}


{#-
    Give what readers see the columns of what was built. A definition ends a transaction, so this
    goes before it. A column that is new is added; where another one changed, the table is made anew
    from what was built, by one statement that keeps its grants.
-#}
{% macro make_fit(node) -%}

    {%- set next, there = snowmelt.next_of(node), snowmelt.published_of(node) -%}
    {%- set found = adapter.get_relation(there.database, there.schema, there.identifier) -%}
    {%- set made, had = {}, {} -%}
    {%- for column in adapter.get_columns_in_relation(next) -%}
        {%- do made.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {%- if found is not none and not found.is_view -%}
        {%- for column in adapter.get_columns_in_relation(found) -%}
            {%- do had.update({column.name: column.data_type}) -%}
        {%- endfor -%}
        {%- set gone = namespace(any=false) -%}
        {%- for name, kind in had.items() if made.get(name) != kind -%}
            {%- set gone.any = true -%}
        {%- endfor -%}
        {%- if gone.any -%}
            {%- do run_query('create or replace table ' ~ there ~ ' copy grants as select * from ' ~ next) -%}
        {%- else -%}
            {%- for name, kind in made.items() if name not in had -%}
                {%- do run_query('alter table ' ~ there ~ ' add column if not exists ' ~ name ~ ' ' ~ kind) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- else -%}
        {%- if found is not none -%}
            {%- do adapter.drop_relation(found) -%}
        {%- endif -%}
        {%- do run_query('create table if not exists ' ~ there ~ ' as select * from ' ~ next ~ ' where false') -%}
    {%- endif -%}

{%- endmacro %}


{% macro columns_of(node) -%}
    {{- return(adapter.get_columns_in_relation(snowmelt.next_of(node)) | map(attribute='name') | list) -}}
{%- endmacro %}


{#- Of the keys that changed all rows go, and come as they are now. -#}
{% macro published_by_stream(node) -%}
    {%- set next, there = snowmelt.next_of(node), snowmelt.published_of(node) -%}
    {%- set keys, names = snowmelt.keys_of(node) | join(', '), snowmelt.columns_of(node) | join(', ') -%}
    {%- set changed = ' where (' ~ keys ~ ') in (select ' ~ keys ~ ' from ' ~ snowmelt.publishing_stream(node) ~ ')' -%}
    {{- return([
        'delete from ' ~ there ~ changed,
        'insert into ' ~ there ~ ' (' ~ names ~ ') select ' ~ names ~ ' from ' ~ next ~ changed,
    ]) -}}
{%- endmacro %}


{% macro published_as_a_whole(node) -%}
    {%- set next, there = snowmelt.next_of(node), snowmelt.published_of(node) -%}
    {%- set names, keys = snowmelt.columns_of(node), snowmelt.keys_of(node) -%}
    {%- if keys -%}
        {{- return(snowmelt.becoming(there, next, keys, names, 'true')) -}}
    {%- endif -%}
    {%- set listed = names | join(', ') -%}
    {{- return([
        'delete from ' ~ there,
        'insert into ' ~ there ~ ' (' ~ listed ~ ') select ' ~ listed ~ ' from ' ~ next,
    ]) -}}
{%- endmacro %}


{#- Views say the same of what is published as those that were tested say of what was built. -#}
{% macro publish_views(built, results) -%}

    {%- set by_id = {} -%}
    {%- for result in results -%}
        {%- do by_id.update({result.node.unique_id: result.node}) -%}
    {%- endfor -%}
    {%- set comments = {} -%}
    {%- set views = built | selectattr('config.materialized', 'equalto', 'view') | list -%}
    {%- for schema in views | map(attribute='schema') | unique -%}
        {%- for row in run_query('show views in schema ' ~ target.database ~ '.' ~ schema[:-5]).rows -%}
            {%- do comments.update({(schema ~ '.' ~ row['name']) | upper: row['comment']}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for result in results if result.node.unique_id in views | map(attribute='unique_id') | list -%}
        {%- set node = result.node -%}
        {%- set said = namespace(sql=node.compiled_code) -%}
        {%- for each in built -%}
            {%- set said.sql = modules.re.sub(
                modules.re.escape(snowmelt.next_of(each) | string) ~ '(?![A-Za-z0-9_$])',
                snowmelt.published_of(each) | string, said.sql
            ) -%}
        {%- endfor -%}
        {%- set mark = 'snowmelt ' ~ local_md5(said.sql) -%}
        {%- if comments.get((node.schema ~ '.' ~ node.alias) | upper) != mark -%}
            {%- set there = snowmelt.published_of(node) -%}
            {%- set found = adapter.get_relation(there.database, there.schema, there.identifier) -%}
            {%- if found is not none and not found.is_view -%}
                {%- do adapter.drop_relation(found) -%}
            {%- endif -%}
            {%- do run_query(
                'create or replace view ' ~ there ~ (' copy grants' if found is not none and found.is_view else '')
                ~ " comment = '" ~ mark ~ "' as " ~ said.sql
            ) -%}
        {%- endif -%}
    {%- endfor -%}

{%- endmacro %}


{#-
    Keep what was refused as it is now, and say so; readers keep what they have. Only a transient
    clone can be made of any table (https://docs.snowflake.com/en/user-guide/tables-temp-transient).
-#}
{% macro refuse(built, failed) -%}

    {%- set kept = [] -%}
    {%- for node in built if node.config.materialized != 'view' -%}
        {%- set next = snowmelt.next_of(node) -%}
        {%- set evidence = node.database ~ '.' ~ node.schema[:-5] ~ '_refused' -%}
        {%- if adapter.get_relation(next.database, next.schema, next.identifier) is not none -%}
            {%- if evidence not in kept -%}
                {%- do kept.append(evidence) -%}
                {%- do run_query('create schema if not exists ' ~ evidence) -%}
            {%- endif -%}
            {%- do run_query('create or replace transient table ' ~ evidence ~ '.' ~ node.alias ~ ' clone ' ~ next) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do snowmelt.tell_publication(
        'refused', failed[:5] | join(', ') ~ (' and ' ~ (failed | length - 5) ~ ' more' if failed | length > 5 else '')
        ~ (': what was refused stands in ' ~ (kept | join(', ') | upper) if kept else ''), []
    ) -%}

{%- endmacro %}


{% macro tell_publication(status, why, tables) -%}
    {%- do run_query(snowmelt.logged_publication(status, why, tables)) -%}
    {%- if why -%}
        {%- do log('Not published: ' ~ why, info=true) -%}
    {%- endif -%}
{%- endmacro %}


{#-
    The statement that writes what became of a publication; the run is dbt's invocation. When it
    began dbt knows in UTC, and a session whose zone is another one is not let read it as its own:
    https://docs.snowflake.com/en/sql-reference/functions/to_timestamp
-#}
{% macro logged_publication(status, why, tables) -%}
    {{- return(
        'insert into ' ~ target.database ~ '.snowmelt.pipeline_log (RUN_ID, STEP, OBJECT, STARTED_AT, ENDED_AT, STATUS, ERROR, DETAILS) select '
        ~ snowmelt.literal(invocation_id) ~ ", 'publish', 'gold', " ~ snowmelt.began_at()
        ~ ', current_timestamp(), ' ~ snowmelt.literal(status) ~ ', '
        ~ (snowmelt.literal(why) if why else 'null') ~ ', ' ~ snowmelt.literal(tojson(tables))
    ) -}}
{%- endmacro %}


{% macro began_at() -%}
    {{- return(
        'to_timestamp_ltz(' ~ snowmelt.literal(run_started_at.strftime('%Y-%m-%d %H:%M:%S +00:00'))
        ~ ", 'YYYY-MM-DD HH24:MI:SS TZH:TZM')"
    ) -}}
{%- endmacro %}
