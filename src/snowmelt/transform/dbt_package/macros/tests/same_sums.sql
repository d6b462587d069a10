{#-
    What this model adds up is what another one has, once: no join fans out, none drops a row.

        data_tests:
          - snowmelt.same_sums:
              arguments:
                of: ref('transactions')
                sums:
                  transactions: 1
                  sales: total_amount

    sums: an expression of this model to the one of the other whose sum is the same; 1 counts rows.
    Exact types only: what is added up in another order must be the same.
-#}
{% test same_sums(model, of, sums) %}
{{ config(meta={'on_changes': 'sums'}) }}

select compared.*
from (
    {#- each sum is compared before they stand below each other: a column of all has one scale -#}
    {% for here, there in sums.items() %}
    select {{ snowmelt.literal(here) }} as sum, cast(here as varchar) as here, cast(there as varchar) as there
    from (
        select
            (select coalesce(sum(case when _sign > 0 then {{ here }} else -({{ here }}) end), 0) from (select *, 1 as _sign from {{ model }})) as here,
            (select coalesce(sum(case when _sign > 0 then {{ there }} else -({{ there }}) end), 0) from (select *, 1 as _sign from {{ of }})) as there
    ) as both_sums
    where here <> there
    {{ 'union all' if not loop.last }}
    {% endfor -%}
) as compared

{% endtest %}
