-- Grain: one row per day, whole years, from the first to the last day with a transaction.

{% set days_max = 40200 %}  {#- every day that a transaction may have: 1990 to 2099 -#}

with

range_of_dates as (

    select
        min(sale_date) as first_date,
        max(sale_date) as last_date
    from {{ ref('sales_by_day') }}

),

years as (

    select
        cast({{ dbt.date_trunc('year', 'first_date') }} as date) as first_day,
        cast({{ dbt.date_trunc('year', 'last_date') }} as date) as last_year
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
