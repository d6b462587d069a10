{#-
    Silver: one row per unique_key, the newest version that passes the row rules.

        {{ config(materialized='latest_version', unique_key='order_id', newest_by='answered_at') }}

        select nullif(trim(order_id), '') as order_id, …, _file, _file_row, _load_seq, _version_at
        from {{ snowmelt.stream('bronze', 'orders') }}

    The model says what one bronze row becomes; it reads one stream, and nothing that changes
    otherwise. Which version counts: order_of_truth(newest_by). A row whose key is null, or that
    a rule refuses, goes to quarantine."<schema>__<model>". Without unique_key every row that passes is kept.

    Rows of loads that were superseded leave; where such a row was the one that counted, the
    one that counts now is found among all live rows. The log of changes gets each row that
    came (INSERT) or went (DELETE), for streams on this model.
-#}
{% materialization latest_version, adapter='duckdb' %}

    {%- set there = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set rules = snowmelt.rules_of(model) -%}
    {%- set keys = snowmelt.as_list(config.get('unique_key')) -%}
    {%- set bronze = snowmelt.only_source(model) -%}
    {%- set changes_only = snowmelt.reads_changes() -%}
    {%- set columns = get_columns_in_query(compiled_code) -%}
    {%- do snowmelt.require_columns(model, rules, columns) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if there is not none and there.is_view -%}
        {%- do adapter.drop_relation(there) -%}
    {%- endif -%}
    {%- if changes_only -%}
        {%- do snowmelt.latest_from_changes(target_relation, bronze, keys, rules, columns) -%}
    {%- else -%}
        {%- do snowmelt.latest_from_all(target_relation, keys, rules, columns) -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}


{% macro only_source(node) -%}

    {%- set sources = [] -%}
    {%- for id in node.depends_on.nodes -%}
        {%- if id.startswith('source.') -%}
            {%- do sources.append(graph.sources[id]) -%}
        {%- elif not id.startswith('seed.') -%}
            {{ exceptions.raise_compiler_error(
                "latest_version: " ~ node.name ~ " reads " ~ id ~ " beside its stream; "
                ~ "join in a model that is materialized as affected_keys"
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- if sources | length != 1 -%}
        {{ exceptions.raise_compiler_error(
            "latest_version: " ~ node.name ~ " must read exactly one bronze table, by snowmelt.stream"
        ) }}
    {%- endif -%}
    {%- do snowmelt.require_reads_stream(node, sources[0]) -%}
    {{- return(api.Relation.create(
        database=sources[0].database, schema=sources[0].schema, identifier=sources[0].identifier
    )) -}}

{%- endmacro %}


{#-
    Refuse a model that reads a table of bronze whole: it would be given the same rows in each run.
    stream() leaves its hook with every model that calls it, by whatever macro.
-#}
{% macro require_reads_stream(node, table) -%}

    {%- set hooks = node.config.get('post-hook') or [] -%}
    {%- if 'snowmelt.move_offsets' not in hooks | map(attribute='sql') | join(' ') -%}
        {{ exceptions.raise_compiler_error(
            "latest_version: " ~ node.name ~ " reads all of bronze." ~ table.identifier ~ " in each run, "
            ~ "where it goes on from what is new. Write: from {{ snowmelt.stream('"
            ~ table.source_name ~ "', '" ~ table.name ~ "') }}"
        ) }}
    {%- endif -%}

{%- endmacro %}


{#- A mark of statements that do nothing unless loads were superseded: a replay leaves them out. -#}
{% macro only_where_rows_went() -%}
    /* snowmelt: only where rows went */
{%- endmacro %}


{% macro quarantine_of(relation) -%}
    {{- return('quarantine."' ~ relation.schema ~ '__' ~ relation.identifier ~ '"') -}}
{%- endmacro %}


{#- The name of a temporary table of this model. -#}
{% macro scratch(name) -%}
    {{- return('"' ~ this.schema ~ '__' ~ this.identifier ~ '__' ~ name ~ '"') -}}
{%- endmacro %}


{#-
    Rows of judged rows as quarantine keeps them: all rules that refuse a row, and its values as
    text, none of which loses a digit.
-#}
{% macro quarantined(from, rules, columns) -%}
    select
        refused._rule as rule,
        {{ snowmelt.refused_by(rules) }} as rules,
        refused._outcome as on_failure,
        refused._file,
        refused._file_row,
        refused._load_seq,
        refused._version_at,
        cast({{ snowmelt.json_object() }}(
            {%- for column in columns if column | lower not in ('_file', '_file_row', '_load_seq', '_version_at') -%}
            {{ snowmelt.literal(column | lower if target.type == 'snowflake' else column) }}, cast(refused.{{ snowmelt.quoted(column) }} as varchar)
            {{- ', ' if not loop.last }}
            {%- endfor -%}
        ) as varchar) as refused_row
    from (select * from {{ from }} where _outcome in ('quarantine', 'fail')) as refused
{%- endmacro %}


{% macro json_object() -%}
    {{- return('object_construct_keep_null' if target.type == 'snowflake' else 'json_object') -}}
{%- endmacro %}


{#- How many rows of each live load were read, and what became of them. -#}
{% macro tallied(from) -%}
    select
        '{{ snowmelt.key_of(this) }}' as model,
        _load_seq as load_seq,
        count(*) as rows_read,
        count(*) filter (_outcome in ('quarantine', 'fail')) as rows_quarantined,
        count(*) filter (_outcome = 'drop') as rows_dropped,
        count(*) filter (_outcome = 'pass' and _warned) as rows_warned
    from {{ from }}
    group by _load_seq
{%- endmacro %}


{#-
    Build from nothing: the table, what is in quarantine, the tallies, an empty log.

    Most keys come once, and their rows go straight into the table, in the order in which they
    were loaded. Which keys come more often is counted first (distinct: a row for each of them, and
    one without a key for all others). What else has to be looked at is put aside: their versions,
    and what a rule refuses or warns of. So the SQL of the model runs three times, once for the keys and
    rules alone.
-#}
{% macro latest_from_all(relation, keys, rules, columns) -%}

    {%- set judged = '(' ~ snowmelt.judged(rules, '(' ~ compiled_code ~ '\n)') ~ ')' -%}
    {%- set distinct = snowmelt.scratch('distinct') -%}
    {%- set aside = snowmelt.scratch('aside') -%}
    {%- set key_list = keys | join(', ') -%}
    {%- set several = "(select " ~ key_list ~ " from " ~ distinct ~ " where " ~ (keys | first) ~ " is not null)" -%}
    {%- call statement('distinct') -%}
        create or replace temp table {{ distinct }} as
        {%- if keys %}
        select
            {% for key in keys -%}
            case when _versions > 1 then {{ key }} end as {{ key }},
            {% endfor -%}
            count(*) as _rows,
            sum(_versions) as _versions
        from (
            select {{ key_list }}, count(*) as _versions
            from {{ judged }}
            where _outcome = 'pass'
            group by {{ key_list }}
        )
        group by all
        {%- else %}
        select count(*) as _rows, count(*) as _versions from {{ judged }} where _outcome = 'pass'
        {%- endif %}
    {%- endcall -%}
    {%- call statement('aside') -%}
        create or replace temp table {{ aside }} as
        select * from {{ judged }}
        where _outcome <> 'pass' or _warned {{- " or (" ~ key_list ~ ") in " ~ several if keys }}
    {%- endcall -%}
    {%- call statement('main') -%}
        create or replace table {{ relation }} as
        select * exclude (_outcome, _rule, _warned) from {{ judged }} as judged
        {%- if keys %}
        anti join {{ several }} as several using ({{ key_list }})
        where _outcome = 'pass'
        union all
        select * exclude (_outcome, _rule, _warned) from {{ aside }} as aside
        semi join {{ several }} as several using ({{ key_list }})
        where _outcome = 'pass'
        qualify row_number() over (
            partition by {{ key_list }}
            order by {{ snowmelt.order_of_truth(config.get('newest_by')) }}
        ) = 1
        {%- else %}
        where _outcome = 'pass'
        {%- endif %}
    {%- endcall -%}
    {%- if target.name == 'local' -%}
        {%- call statement('quarantine') -%}
            create or replace table {{ snowmelt.quarantine_of(relation) }} as
            {{ snowmelt.quarantined(aside, rules, columns) }}
        {%- endcall -%}
        {%- call statement('forget_tallies') -%}
            delete from snowmelt.row_tallies where model = '{{ snowmelt.key_of(relation) }}'
        {%- endcall -%}
        {%- call statement('tallies') -%}
            insert into snowmelt.row_tallies by name
            select
                '{{ snowmelt.key_of(relation) }}' as model,
                loads.load_seq,
                loads.rows_read,
                coalesce(tallied.rows_quarantined, 0) as rows_quarantined,
                coalesce(tallied.rows_dropped, 0) as rows_dropped,
                coalesce(tallied.rows_warned, 0) as rows_warned
            from (
                select _load_seq as load_seq, count(*) as rows_read
                from ({{ compiled_code }}
                )
                group by _load_seq
            ) as loads
            left join ({{ snowmelt.tallied(aside) }}) as tallied
                on loads.load_seq = tallied.load_seq
        {%- endcall -%}
        {%- do snowmelt.begin_log(relation) -%}
        {%- call statement('offsets') -%}{{ snowmelt.offsets_moved() }}{%- endcall -%}
    {%- endif -%}
    {%- call statement('nothing_aside') -%}drop table {{ aside }}{%- endcall -%}

{%- endmacro %}


{#- Build on what is here: what came, what went, and the keys that either touches. -#}
{% macro latest_from_changes(relation, bronze, keys, rules, columns) -%}

    {%- set judged = snowmelt.scratch('judged') -%}
    {%- set lost = snowmelt.scratch('lost') -%}
    {%- set regained = snowmelt.scratch('regained') -%}
    {%- set changed = snowmelt.scratch('changed') -%}
    {%- set gone = snowmelt.superseded_loads(bronze) -%}
    {%- set key_list = keys | join(', ') -%}
    {%- set all_live = compiled_code | replace(snowmelt.arrived_rows(bronze), bronze | string) -%}

    {%- call statement('judged') -%}
        create or replace temp table {{ judged }} as
        {{ snowmelt.judged(rules, '(' ~ compiled_code ~ '\n)') }}
    {%- endcall -%}
    {% if keys -%}
    {%- call statement('regained') -%}
        create or replace temp table {{ regained }} as
        select * exclude (_outcome, _rule, _warned) from {{ judged }} limit 0
    {%- endcall -%}
    {%- call statement('lost') -%}
        create or replace temp table {{ lost }} as
        select {{ key_list }} from {{ relation }} where _load_seq in {{ gone }}
        {{ snowmelt.only_where_rows_went() }}
    {%- endcall -%}
    {%- call statement('regained_by_lost') -%}
        insert into {{ regained }} by name
        select * exclude (_outcome, _rule, _warned)
        from ({{ snowmelt.judged(rules, '(' ~ all_live ~ '\n)') }})
        where _outcome = 'pass'
            and ({{ key_list }}) in (select {{ key_list }} from {{ lost }})
        {{ snowmelt.only_where_rows_went() }}
    {%- endcall -%}
    {%- call statement('changed') -%}
        create or replace temp table {{ changed }} as
        with
        versions as (
            select cast(null as bigint) as _rowid, false as _gone, * exclude (_outcome, _rule, _warned)
            from {{ judged }}
            where _outcome = 'pass'
            union all by name
            select false as _gone, * from {{ regained }}
            union all by name
            select rowid as _rowid, _load_seq in {{ gone }} as _gone, *
            from {{ relation }}
            where {{ snowmelt.rows_with_keys(relation, key_list, "(select * from " ~ judged ~ " where _outcome = 'pass')") }}
            union all by name
            select rowid as _rowid, true as _gone, *
            from {{ relation }}
            where _load_seq in {{ gone }}
                and ({{ key_list }}) not in (select {{ key_list }} from {{ judged }} where _outcome = 'pass')
        ),
        compared as (
            select
                *,
                not _gone and row_number() over (
                    partition by {{ key_list }}
                    order by _gone, {{ snowmelt.order_of_truth(config.get('newest_by')) }}
                ) = 1 as _counts
            from versions
        )
        select
            * exclude (_gone, _counts),
            case when _counts then 'INSERT' else 'DELETE' end as "METADATA$ACTION"
        from compared
        where _counts = (_rowid is null)
    {%- endcall -%}
    {%- else -%}
    {%- call statement('changed') -%}
        create or replace temp table {{ changed }} as
        select cast(null as bigint) as _rowid, * exclude (_outcome, _rule, _warned), 'INSERT' as "METADATA$ACTION"
        from {{ judged }}
        where _outcome = 'pass'
        union all by name
        select rowid as _rowid, *, 'DELETE' as "METADATA$ACTION"
        from {{ relation }}
        where _load_seq in {{ gone }}
    {%- endcall -%}
    {%- endif -%}
    {%- call statement('release') -%}
        delete from {{ snowmelt.quarantine_of(relation) }} where _load_seq in {{ gone }}
        {{ snowmelt.only_where_rows_went() }}
    {%- endcall -%}
    {%- call statement('forget_tallies') -%}
        delete from snowmelt.row_tallies
        where model = '{{ snowmelt.key_of(relation) }}' and load_seq in {{ gone }}
    {%- endcall -%}
    {%- call statement('quarantine') -%}
        insert into {{ snowmelt.quarantine_of(relation) }} by name {{ snowmelt.quarantined(judged, rules, columns) }}
    {%- endcall -%}
    {%- call statement('tallies') -%}
        insert into snowmelt.row_tallies by name {{ snowmelt.tallied(judged) }}
    {%- endcall -%}
    {%- do snowmelt.apply_changed(relation, changed) -%}

{%- endmacro %}
