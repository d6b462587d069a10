{#- A mark of statements that do nothing while a temporary table is empty: a replay leaves them out. -#}
{% macro only_where_rows_in(table) -%}
    /* snowmelt: only where {{ table }} has rows */
{%- endmacro %}


{#-
    The condition that a row of a relation has one of these keys. The keys are searched alone:
    new rows lie together, and the other columns are read only where some are found.
-#}
{% macro rows_with_keys(relation, key_list, keys) -%}
    rowid in (select rowid from {{ relation }} where ({{ key_list }}) in (select {{ key_list }} from {{ keys }}))
{%- endmacro %}


{#- Begin a model's log anew, empty: who reads it by stream has to read the whole table once. -#}
{% macro begin_log(relation) -%}

    {%- set key = snowmelt.key_of(relation) -%}
    {%- call statement('log') -%}
        create or replace table {{ snowmelt.log_of(relation) }} as
        select
            *,
            '' as "METADATA$ACTION",
            cast(0 as bigint) as _change_seq
        from {{ relation }}
        limit 0
    {%- endcall -%}
    {%- call statement('log_begins') -%}
        merge into snowmelt.change_logs as logs
        using (select '{{ key }}' as relation) as anew
        on logs.relation = anew.relation
        when matched then update set position = logs.position + 1, cut_through = logs.position + 1
        when not matched then insert (relation, position, cut_through) values (anew.relation, 1, 1)
    {%- endcall -%}

{%- endmacro %}


{#-
    Carry out and log what a temporary table says: rows with a _rowid go (DELETE), the others
    come (INSERT). Then the offsets move.
-#}
{% macro apply_changed(relation, changed) -%}

    {%- set key = snowmelt.key_of(relation) -%}
    {%- call statement('main') -%}
        delete from {{ relation }} where rowid in (select _rowid from {{ changed }} where _rowid is not null)
        {{ snowmelt.only_where_rows_in(changed) }}
    {%- endcall -%}
    {%- call statement('came') -%}
        insert into {{ relation }} by name
        select * exclude (_rowid, "METADATA$ACTION") from {{ changed }} where "METADATA$ACTION" = 'INSERT'
        {{ snowmelt.only_where_rows_in(changed) }}
    {%- endcall -%}
    {%- call statement('log') -%}
        insert into {{ snowmelt.log_of(relation) }} by name
        select
            * exclude (_rowid),
            (select position + 1 from snowmelt.change_logs where relation = '{{ key }}') as _change_seq
        from {{ changed }}
        {{ snowmelt.only_where_rows_in(changed) }}
    {%- endcall -%}
    {%- call statement('log_position') -%}
        update snowmelt.change_logs set position = position + 1
        where relation = '{{ key }}' and (select count(*) from {{ changed }}) > 0
        {{ snowmelt.only_where_rows_in(changed) }}
    {%- endcall -%}
    {%- do snowmelt.update_offsets() -%}

{%- endmacro %}
