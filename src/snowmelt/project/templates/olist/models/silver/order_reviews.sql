-- Grain: one row per review and order; the latest answer, then the newest version.

{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['review_id', 'order_id'],
    )
}}

with

arrived as (

    select * from {{ source('bronze', 'order_reviews') }}
    {{ since_last_read() }}

),

typed as (

    select
        ---------- keys
        nullif(trim(review_id), '') as review_id,
        nullif(trim(order_id), '') as order_id,

        ---------- attributes
        review_score,
        nullif(trim(review_comment_title), '') as comment_title,
        nullif(trim(review_comment_message), '') as comment_message,

        ---------- times
        cast(review_creation_date as date) as created_on,
        cast(review_answer_timestamp as timestamp) as answered_at,

        ---------- origin
        _file,
        _file_row,
        _load_seq,
        _version_at

    from arrived

),

versions as (

    select * from typed

    {{ union_known_versions('typed', ['review_id', 'order_id']) }}

),

latest as (

    select *
    from versions
    where
        review_id is not null
        and order_id is not null
    qualify row_number() over (
        partition by review_id, order_id
        order by {{ order_of_truth('answered_at') }}
    ) = 1

)

select * from latest
