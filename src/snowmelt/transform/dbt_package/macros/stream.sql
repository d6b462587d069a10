{#-
    What this model has not read yet of a table: rows that came (INSERT) and rows that went
    (DELETE) between its offset and now.

        {{ snowmelt.stream('bronze', 'orders') }}      a bronze table
        {{ snowmelt.stream(ref('orders')) }}           a latest_version or affected_keys model
        {{ snowmelt.stream(ref('orders'), columns=['month']) }}

    Columns: those of the table, then METADATA$ACTION, METADATA$ISUPDATE, METADATA$ROW_ID, with
    the meaning of a standard stream of Snowflake
    (https://docs.snowflake.com/en/user-guide/streams-intro): the net change between two points.
    Where the model is built from nothing, every row there is, as INSERT.

    columns, for the affected keys of an affected_keys model: the only ones of a table that it
    reads. Then they and METADATA$ACTION are what the stream has, and what is the same in all of
    them before and after is no change: groups that only other columns touched are not made
    again. The list must name every column that the result depends on, all of them in each
    stream of that table.

    Offsets are positions in commit order. The upper bound is what the run's transaction sees:
    the rows that are read and the offset that is written come from one snapshot. Only the
    service's target moves offsets; elsewhere a stream reads everything.
-#}
{% macro stream(table, name=none, columns=none) -%}

    {%- set relation = source(table, name) if name is not none else table -%}
    {%- do snowmelt.require_stream(relation, name is none) -%}
    {%- set listed = snowmelt.as_list(columns) -%}
    {%- if listed -%}
        {%- do snowmelt.require_columns_of_log(relation, name is none, listed) -%}
    {%- endif -%}
    {{- return(adapter.dispatch('stream_of', 'snowmelt')(relation, name is not none, listed)) -}}

{%- endmacro %}


{% macro duckdb__stream_of(relation, of_source, columns) -%}

    {%- if not snowmelt.reads_changes() -%}
        {%- do snowmelt.refuse_to_add_all_again() -%}
        {{- return(snowmelt.all_as_changes(relation, columns)) -}}
    {%- endif -%}
    {%- if of_source -%}
        {{- return(snowmelt.bronze_changes(relation)) -}}
    {%- endif -%}
    {{- return(snowmelt.column_changes(relation, columns) if columns else snowmelt.model_changes(relation)) -}}

{%- endmacro %}


{#-
    Does this model go on from what it built? It is built, not from nothing, on what is there; and its
    streams are as it left them.
-#}
{% macro reads_changes() -%}

    {%- if not execute or model.resource_type != 'model' or flags.EMPTY or flags.WHICH not in ('run', 'build')
        or should_full_refresh() -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- set there = load_cached_relation(this) -%}
    {%- if there is none or there.is_view -%}
        {{- return(false) -}}
    {%- endif -%}
    {{- return(adapter.dispatch('streams_go_on', 'snowmelt')()) -}}

{%- endmacro %}


{#- Only the service's target moves offsets. -#}
{% macro duckdb__streams_go_on() -%}

    {%- if target.name != 'local' -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- set streams = run_query(
        "select count(*), count(*) filter (streams.position < coalesce(logs.cut_through, 0) "
        ~ "or stale.stale_since is not null) "
        ~ "from snowmelt.stream_offsets as streams "
        ~ "left join snowmelt.change_logs as logs on logs.relation = streams.source "
        ~ "left join snowmelt.stale_streams as stale on stale.consumer = streams.consumer "
        ~ "and stale.source = streams.source and stale.position = streams.position "
        ~ "where streams.consumer = '" ~ snowmelt.key_of(this) ~ "'"
    ) -%}
    {{- return(streams.rows[0][0] > 0 and streams.rows[0][1] == 0) -}}

{%- endmacro %}


{#-
    A model that is added to cannot read a stream from its beginning a second time: every row
    would be in it twice. The materializations that replace what is there can.
-#}
{% macro refuse_to_add_all_again() -%}

    {%- if execute and target.name == 'local' and config.get('materialized') == 'incremental'
        and flags.WHICH in ('run', 'build') and not flags.EMPTY and not should_full_refresh()
        and load_cached_relation(this) is not none -%}
        {{ exceptions.raise_compiler_error(
            "snowmelt.stream: " ~ model.name ~ " has no offset in its streams, or they are stale, or their log was "
            ~ "begun anew; all rows would be added to it a second time. Build it from nothing: snowmelt rebuild"
        ) }}
    {%- endif -%}

{%- endmacro %}


{#- A relation as it is named in offsets and logs. -#}
{% macro key_of(relation) -%}
    {{- return(relation.schema ~ '.' ~ relation.identifier) -}}
{%- endmacro %}


{#- The log of a model's changes. -#}
{% macro log_of(relation) -%}
    {{- return('changes."' ~ relation.schema ~ '__' ~ relation.identifier ~ '"') -}}
{%- endmacro %}


{#- This model's offset in a source, as SQL. -#}
{% macro offset_in(relation) -%}
    {{- return(
        "(select position from snowmelt.stream_offsets where consumer = '"
        ~ snowmelt.key_of(this) ~ "' and source = '" ~ snowmelt.key_of(relation) ~ "')"
    ) -}}
{%- endmacro %}


{#- The loads of a bronze table that were live at the offset and are superseded now, as SQL. -#}
{% macro superseded_loads(relation) -%}
    {%- set offset = snowmelt.offset_in(relation) -%}
    {{- return(
        "(select load_seq from snowmelt.load_history where table_name = '"
        ~ relation.identifier | lower ~ "' and superseded_by > " ~ offset ~ " and load_seq <= " ~ offset ~ ")"
    ) -}}
{%- endmacro %}


{#-
    The rows of loads after the offset. The service tells its session the same offsets as they are
    before a build: a bound that is known before a statement runs leaves files unread.
-#}
{% macro arrived_rows(relation) -%}
    {%- set told = "getvariable('snowmelt_offsets')['" ~ snowmelt.key_of(this) ~ " " ~ snowmelt.key_of(relation) ~ "']" -%}
    {{- return(
        "(select * from " ~ relation ~ " where _load_seq > " ~ snowmelt.offset_in(relation)
        ~ " and _load_seq > coalesce(" ~ told ~ ", 0))"
    ) -}}
{%- endmacro %}


{% macro all_as_changes(relation, columns) -%}
    {%- if columns -%}
        {{- return("(select " ~ columns | join(', ') ~ ", 'INSERT' as \"METADATA$ACTION\" from " ~ relation ~ ")") -}}
    {%- endif -%}
    {%- if config.get('materialized') == 'latest_version' -%}
        {{- return(relation | string) -}}
    {%- endif -%}
    {{- return(
        "(select *, 'INSERT' as \"METADATA$ACTION\", false as \"METADATA$ISUPDATE\", "
        ~ "cast(null as varchar) as \"METADATA$ROW_ID\" from " ~ relation ~ ")"
    ) -}}
{%- endmacro %}


{% macro bronze_changes(relation) -%}
    {%- if config.get('materialized') == 'latest_version' -%}
        {{- return(snowmelt.arrived_rows(relation)) -}}
    {%- endif -%}
    {%- set columns = "*, %s as \"METADATA$ACTION\", false as \"METADATA$ISUPDATE\", "
        ~ "_load_seq || '/' || _file_row as \"METADATA$ROW_ID\"" -%}
    {%- set all_rows = adapter.quote(relation.schema) ~ '.' ~ adapter.quote(relation.identifier ~ '__all') -%}
    {{- return(
        "(select " ~ (columns % "'INSERT'") ~ " from " ~ snowmelt.arrived_rows(relation)
        ~ " union all by name select " ~ (columns % "'DELETE'") ~ " from " ~ all_rows
        ~ " where _load_seq in " ~ snowmelt.superseded_loads(relation) ~ ")"
    ) -}}
{%- endmacro %}


{#- What a model's log has after the offset, without what came and went again. -#}
{% macro model_changes(relation) -%}
    {%- set node = snowmelt.logged_model(relation) -%}
    {%- set keys = snowmelt.as_list(node.config.get('unique_key')) or ['_load_seq', '_file_row'] -%}
    {%- set key_list = keys | join(', ') -%}
    {{- return(
        "(select * exclude (_change_seq), "
        ~ "min(\"METADATA$ACTION\") over same_key <> max(\"METADATA$ACTION\") over same_key as \"METADATA$ISUPDATE\", "
        ~ "concat_ws('/', " ~ key_list ~ ") as \"METADATA$ROW_ID\" "
        ~ "from " ~ snowmelt.log_of(relation) ~ " where _change_seq > " ~ snowmelt.offset_in(relation)
        ~ " window same_key as (partition by " ~ key_list ~ "))"
    ) -}}
{%- endmacro %}


{#- The values of some columns that a log has more (INSERT) or fewer (DELETE) of after the offset. -#}
{% macro column_changes(relation, columns) -%}
    {%- set listed = columns | join(', ') -%}
    {{- return(
        "(select " ~ listed ~ ", case when _net > 0 then 'INSERT' else 'DELETE' end as \"METADATA$ACTION\" "
        ~ "from (select " ~ listed ~ ", sum(case \"METADATA$ACTION\" when 'INSERT' then 1 else -1 end) as _net "
        ~ "from " ~ snowmelt.log_of(relation) ~ " where _change_seq > " ~ snowmelt.offset_in(relation)
        ~ " group by " ~ listed ~ ") where _net <> 0)"
    ) -}}
{%- endmacro %}


{#- The node of a model that keeps a log, by its relation. -#}
{% macro logged_model(relation) -%}

    {%- for node in graph.nodes.values() if node.resource_type == 'model'
        and node.schema == relation.schema and node.alias == relation.identifier -%}
        {%- if node.config.materialized not in ('latest_version', 'affected_keys') -%}
            {{ exceptions.raise_compiler_error(
                "snowmelt.stream: " ~ node.name ~ " keeps no log of its changes; "
                ~ "materialize it as latest_version or affected_keys"
            ) }}
        {%- endif -%}
        {{- return(node) -}}
    {%- endfor -%}

{%- endmacro %}


{#- Refuse what would lose or repeat rows, at compile time. -#}
{% macro require_stream(relation, of_model) -%}

    {%- if not execute -%}
        {%- do config(post_hook="{{ snowmelt.move_offsets() }}") -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set kind = config.get('materialized') -%}
    {%- if kind not in ('latest_version', 'affected_keys', 'incremental') -%}
        {{ exceptions.raise_compiler_error(
            "snowmelt.stream: a model that reads a stream is materialized as latest_version, "
            ~ "affected_keys or incremental, not as '" ~ kind ~ "', which would be replaced by the changes alone"
        ) }}
    {%- endif -%}
    {%- if kind == 'latest_version' and of_model -%}
        {{ exceptions.raise_compiler_error(
            "snowmelt.stream: a latest_version model reads one bronze table; "
            ~ "a model made from other models is materialized as affected_keys"
        ) }}
    {%- endif -%}
    {%- if config.get('incremental_strategy') in ('insert_overwrite', 'microbatch') -%}
        {{ exceptions.raise_compiler_error(
            "snowmelt.stream: incremental_strategy '" ~ config.get('incremental_strategy')
            ~ "' replaces more than the changes; use merge, delete+insert or append"
        ) }}
    {%- endif -%}
    {%- if of_model -%}
        {%- do snowmelt.logged_model(relation) -%}
    {%- endif -%}
    {%- if kind == 'latest_version' -%}
        {%- do snowmelt.rules_of(model) -%}
    {%- endif -%}

{%- endmacro %}


{#- Refuse columns where a stream of them would say less than its reader needs. -#}
{% macro require_columns_of_log(relation, of_model, columns) -%}

    {%- if not execute -%}
        {{- return('') -}}
    {%- endif -%}
    {%- if not of_model or config.get('materialized') != 'affected_keys' -%}
        {{ exceptions.raise_compiler_error(
            "snowmelt.stream: " ~ model.name ~ " names columns; they say which keys of an affected_keys model "
            ~ "are affected by another model, and nothing else: a value that several rows have comes once"
        ) }}
    {%- endif -%}
    {%- if flags.WHICH == 'compile' -%}
        {{- return('') -}} {#- what is there may be made anew with other columns before this is -#}
    {%- endif -%}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list -%}
    {%- for column in columns if there and column | lower not in there -%}
        {{ exceptions.raise_compiler_error(
            "snowmelt.stream: " ~ model.name ~ " names a column '" ~ column ~ "' that " ~ relation ~ " has not"
        ) }}
    {%- endfor -%}

{%- endmacro %}


{#-
    A hook that stream() gives every model: an incremental model moves its offsets by it, in the
    transaction of its rows. The other materializations that read streams move them themselves.
-#}
{% macro move_offsets() -%}
    {%- if target.name == 'local' and config.get('materialized') == 'incremental' and not flags.EMPTY -%}
        {{ snowmelt.offsets_moved() }}
    {%- endif -%}
{%- endmacro %}


{#-
    SQL that writes the offsets of this model's streams, as far as the transaction sees. What
    counts as read are the sources and logged models that the model depends on.
-#}
{% macro offsets_moved() -%}
    {%- set streams = snowmelt.streams_of(model) -%}
    merge into snowmelt.stream_offsets as offsets
    using (
        {% for stream in streams -%}
        select '{{ snowmelt.key_of(this) }}' as consumer, '{{ stream.key }}' as source, {{ stream.position }} as position
        {%- if not loop.last %} union all {% endif -%}
        {%- endfor %}
    ) as read
    on offsets.consumer = read.consumer and offsets.source = read.source
    when matched then update set position = read.position, moved_at = now()
    when not matched then insert (consumer, source, position, moved_at)
        values (read.consumer, read.source, read.position, now())
{%- endmacro %}


{#- Move the offsets of a model that has them. -#}
{% macro update_offsets() -%}

    {%- set sources = [] -%}
    {%- for id in model.depends_on.nodes if id.startswith('source.') -%}
        {%- do sources.append("'" ~ graph.sources[id].schema ~ '.' ~ graph.sources[id].identifier ~ "'") -%}
    {%- endfor -%}
    {%- if sources | length < model.depends_on.nodes | length -%}
        {%- call statement('offsets_in_logs') -%}
            update snowmelt.stream_offsets as offsets
            set position = logs.position, moved_at = now()
            from snowmelt.change_logs as logs
            where offsets.consumer = '{{ snowmelt.key_of(this) }}' and offsets.source = logs.relation
        {%- endcall -%}
    {%- endif -%}
    {%- if sources -%}
        {%- call statement('offsets_in_bronze') -%}
            update snowmelt.stream_offsets
            set position = (select coalesce(max(load_seq), 0) from snowmelt.load_history), moved_at = now()
            where consumer = '{{ snowmelt.key_of(this) }}' and source in ({{ sources | join(', ') }})
        {%- endcall -%}
    {%- endif -%}

{%- endmacro %}


{#- Where a model's streams stand: (key, position as SQL) of each table it could stream. -#}
{% macro streams_of(node) -%}
    {%- set streams = [] -%}
    {%- for id in node.depends_on.nodes -%}
        {%- if id.startswith('source.') -%}
            {%- set table = graph.sources[id] -%}
            {%- do streams.append({
                'key': table.schema ~ '.' ~ table.identifier,
                'position': '(select coalesce(max(load_seq), 0) from snowmelt.load_history)',
            }) -%}
        {%- elif id in graph.nodes and graph.nodes[id].config.materialized in ('latest_version', 'affected_keys') -%}
            {%- set key = graph.nodes[id].schema ~ '.' ~ graph.nodes[id].alias -%}
            {%- do streams.append({
                'key': key,
                'position': "(select coalesce(max(position), 0) from snowmelt.change_logs where relation = '" ~ key ~ "')",
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(streams) -}}
{%- endmacro %}
