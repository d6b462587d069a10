-- Grain: one row per person with an order.
--
-- Scores are fifths of all of them, 5 the best: how many are behind, not how far. Equals share
-- a score. Each order moves everybody's place, so this is a view: it costs when it is read.

{{ config(materialized='view') }}

with

customers as (

    select * from {{ ref('customer_activity') }}

),

places as (

    select
        *,
        count(*) over () as customers,
        max(last_order_at) over () as newest_order_at,
        rank() over (order by cast(last_order_at as date)) - 1 as behind_in_recency,
        rank() over (order by orders) - 1 as behind_in_frequency,
        rank() over (order by order_value) - 1 as behind_in_monetary
    from customers

),

scores as (

    select
        *,
        1 + cast({{ snowmelt.quotient('5 * behind_in_recency', 'customers') }} as integer) as recency_score,
        1 + cast({{ snowmelt.quotient('5 * behind_in_frequency', 'customers') }} as integer) as frequency_score,
        1 + cast({{ snowmelt.quotient('5 * behind_in_monetary', 'customers') }} as integer) as monetary_score
    from places

),

final as (

    select
        ---------- keys
        customer_unique_id,

        ---------- what is scored, money in BRL
        {{ dbt.datediff('last_order_at', 'newest_order_at', 'day') }} as recency_days,
        orders as frequency,
        order_value as monetary,

        ---------- scores, 1 to 5
        recency_score,
        frequency_score,
        monetary_score,

        case
            when frequency_score >= 4 and recency_score >= 4 then 'champions'
            when frequency_score >= 4 and recency_score = 3 then 'loyal'
            when frequency_score >= 4 then 'at risk'
            when monetary_score = 5 and recency_score >= 3 then 'big spenders'
            when recency_score >= 4 then 'recent'
            when recency_score = 3 then 'fading'
            else 'lost'
        end as segment

    from scores

)

select * from final
