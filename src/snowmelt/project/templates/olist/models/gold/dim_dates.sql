-- Grain: one row per day, whole years, from the first to the last date of any order.

{% set days_max = 36525 %}  {#- a century: what one bad date can make -#}

with

orders as (

    select * from {{ ref('fct_orders') }}

),

range_of_dates as (

    select
        least(
            min(purchased_at),
            coalesce(min(approved_at), min(purchased_at)),
            coalesce(min(carrier_at), min(purchased_at)),
            coalesce(min(delivered_at), min(purchased_at)),
            coalesce(min(estimated_on), min(purchased_at))
        ) as first_at,
        greatest(
            max(purchased_at),
            coalesce(max(approved_at), max(purchased_at)),
            coalesce(max(carrier_at), max(purchased_at)),
            coalesce(max(delivered_at), max(purchased_at)),
            coalesce(max(estimated_on), max(purchased_at))
        ) as last_at
    from orders

),

years as (

    select
        cast({{ dbt.date_trunc('year', 'first_at') }} as date) as first_day,
        cast({{ dbt.date_trunc('year', 'last_at') }} as date) as last_year
    from range_of_dates

),

numbers as (

    {{ dbt.generate_series(days_max) }}

),

days as (

    select
        cast(
            {{ dbt.dateadd('day', 'cast(numbers.generated_number - 1 as integer)', 'years.first_day') }}
            as date
        ) as date_day,
        cast({{ dbt.dateadd('year', 1, 'years.last_year') }} as date) as end_day
    from years
    cross join numbers

),

final as (

    select
        ---------- keys
        date_day,

        ---------- calendar
        cast(extract(year from date_day) as integer) as year,
        cast(extract(quarter from date_day) as integer) as quarter,
        cast(extract(month from date_day) as integer) as month,
        cast(extract(day from date_day) as integer) as day_of_month,
        cast(extract(dow from date_day) as integer) as day_of_week,
        cast({{ dbt.date_trunc('month', 'date_day') }} as date) as first_day_of_month,
        extract(dow from date_day) in (0, 6) as is_weekend

    from days
    where date_day < end_day

)

select * from final
