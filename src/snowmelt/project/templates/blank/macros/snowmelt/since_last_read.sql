{#-
    A where clause for the rows this model has not read yet, or nothing when it is built anew.

    Loads are numbered in the order of their commits, so a row above the highest number that
    is here is unread, and a row at or below it was read before. Timestamps cannot promise
    that: a load that began early may commit late.

    `position` is the column of this model that keeps the numbers of the table being read.
    A model that reads several tables keeps one such column for each.
-#}
{% macro since_last_read(position='_load_seq') -%}

    {%- if is_incremental() -%}
        where _load_seq > (select coalesce(max({{ position }}), 0) from {{ this }})
    {%- endif -%}

{%- endmacro %}
