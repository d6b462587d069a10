{#-
    An order by list that puts the version of a record that counts first.

    Business time decides where the record has one, then the time of the file's version,
    then the load. A file and a row in it are one record, so the order is total: the winner
    never depends on how rows lie in a table, or on which file came first.
-#}
{% macro order_of_truth(business_time=none) -%}

    {%- if business_time is not none %}{{ business_time }} desc nulls last, {% endif -%}
    _version_at desc, _load_seq desc, _file desc, _file_row desc

{%- endmacro %}

