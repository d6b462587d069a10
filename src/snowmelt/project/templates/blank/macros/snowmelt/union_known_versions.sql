{#-
    Adds the versions this model keeps already to the versions that arrived, for the keys
    that arrived, so that an old version that comes late loses against a newer one.

    Renders nothing when the model is built anew. The columns of `arrived` must be the
    columns of the model, in the same order.
-#}
{% macro union_known_versions(arrived, keys) -%}

    {%- if is_incremental() -%}
    union all

    select known.*
    from {{ this }} as known
    where exists (
        select 1
        from {{ arrived }}
        where
            {% for key in keys -%}
            {{ 'and ' if not loop.first }}{{ arrived }}.{{ key }} = known.{{ key }}
            {% endfor -%}
    )
    {%- endif -%}

{%- endmacro %}
