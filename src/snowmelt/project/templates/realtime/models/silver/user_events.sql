-- Grain: one row per event, the newest version that passes the rules.
--
-- An order number and an amount mean something in orders alone; an amount is rounded to cents,
-- half up, before the rules see it.

{{
    config(
        materialized='latest_version',
        unique_key='event_id',
    )
}}

with

arrived as (

    select
        *,
        nullif({{ snowmelt.replaced('lower(event_type)', '[^a-z]', '') }}, '') as plain_type
    from {{ snowmelt.stream('bronze', 'users') }}

)

select
    ---------- keys
    {{ snowmelt.record_id('event_id') }} as event_id,
    {{ snowmelt.record_id('user_id') }} as user_id,
    case when plain_type in ('order', 'cancel') then {{ snowmelt.record_id('order_id') }} end as order_id,

    ---------- attributes
    plain_type as event_type,
    {{ snowmelt.one_line('name') }} as name,
    lower(nullif(trim(email), '')) as email,
    upper({{ snowmelt.one_line('region') }}) as region,

    ---------- money, EUR
    case when plain_type = 'order' then cast(amount as decimal(18, 2)) end as amount,

    ---------- times, UTC: of the event, and of the load that brought it
    {{ event_time('event_at') }} as event_at,
    {{ snowmelt.in_utc('_loaded_at') }} as ingested_at,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from arrived
