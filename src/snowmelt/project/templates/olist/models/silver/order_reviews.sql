-- Grain: one row per review and order; the latest answer, then the newest version.

{{
    config(
        materialized='latest_version',
        unique_key=['review_id', 'order_id'],
        newest_by='answered_at',
    )
}}

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

from {{ snowmelt.stream('bronze', 'order_reviews') }}
