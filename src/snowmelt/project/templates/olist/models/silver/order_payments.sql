-- Grain: one row per order and payment of it, the newest version.

{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['order_id', 'payment_sequential'],
    )
}}

with

arrived as (

    select * from {{ source('bronze', 'order_payments') }}
    {{ since_last_read() }}

),

typed as (

    select
        ---------- keys
        nullif(trim(order_id), '') as order_id,
        payment_sequential,

        ---------- attributes
        lower(trim(payment_type)) as payment_type,
        payment_installments,

        ---------- money, BRL
        cast(payment_value as decimal(18, 2)) as payment_value,

        ---------- origin
        _file,
        _file_row,
        _load_seq,
        _version_at

    from arrived

),

versions as (

    select * from typed

    {{ union_known_versions('typed', ['order_id', 'payment_sequential']) }}

),

latest as (

    select *
    from versions
    where
        order_id is not null
        and payment_sequential is not null
    qualify row_number() over (
        partition by order_id, payment_sequential
        order by {{ order_of_truth() }}
    ) = 1

)

select * from latest
