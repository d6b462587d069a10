-- Grain: one row per customer who is known, or named in a transaction.
--
-- A transaction may come before its customer. Until then the customer stands here with no more
-- than an id (is_known = false), so every transaction finds its row; when the customer arrives
-- this row alone is made again, and no transaction is touched. Nor does a transaction touch a
-- customer who is known.
--
-- Who is not known is looked up among all transactions only where their number fell: of an id
-- that more transactions have than before (INSERT) there is one.

{{
    config(
        materialized='affected_keys',
        unique_key='customer_id',
    )
}}

{%- set attributes = [
    'customer_id', 'name', 'email', 'country', 'customer_type', 'gender', 'age',
    'registration_date', 'total_purchases',
] %}

with

{% call snowmelt.affected() %}

    select customer_id
    from {{ snowmelt.stream(ref('customers'), columns=attributes) }}

    union all

    select customer_id
    from {{ snowmelt.stream(ref('transactions'), columns=['customer_id']) }}
    where customer_id not in (select customer_id from {{ ref('customers') }})

{% endcall %}

known as (

    select *
    from {{ ref('customers') }}
    where {{ snowmelt.is_affected('customer_id') }}

),

not_known as (

    select distinct customer_id
    from affected
    where customer_id not in (select customer_id from known)

),

in_more_transactions as (

    select distinct customer_id
    from {{ snowmelt.stream(ref('transactions'), columns=['customer_id']) }}
    where "METADATA$ACTION" = 'INSERT'
        and customer_id in (select customer_id from not_known)

),

to_look_up as (

    select customer_id
    from not_known
    where customer_id not in (select customer_id from in_more_transactions)

),

looked_up as (

    select distinct customer_id
    from {{ ref('transactions') }}
    where customer_id in (select customer_id from to_look_up)

),

named_only as (

    select customer_id from in_more_transactions

    union all

    select customer_id from looked_up

),

final as (

    select
        ---------- keys
        customer_id,

        ---------- attributes
        true as is_known,
        name,
        email,
        country,
        customer_type,
        gender,
        age,
        case
            when age < 25 then '18-24'
            when age < 35 then '25-34'
            when age < 45 then '35-44'
            when age < 55 then '45-54'
            when age < 65 then '55-64'
            when age >= 65 then '65+'
            else 'unknown'
        end as age_group,

        ---------- times
        registration_date,

        ---------- money, EUR
        total_purchases

    from known

    union all by name

    select
        customer_id,
        false as is_known,
        'Unknown' as customer_type,
        'Other' as gender,
        'unknown' as age_group
    from named_only

)

select * from final
