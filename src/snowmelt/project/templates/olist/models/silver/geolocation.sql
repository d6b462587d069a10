-- Grain: one row per zip prefix and point, to the sixth decimal (11 cm); the newest version.

{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['zip_prefix', 'latitude', 'longitude'],
    )
}}

with

arrived as (

    select * from {{ source('bronze', 'geolocation') }}
    {{ since_last_read() }}

),

typed as (

    select
        ---------- keys
        {{ zip_prefix('geolocation_zip_code_prefix') }} as zip_prefix,
        cast(geolocation_lat as decimal(9, 6)) as latitude,
        cast(geolocation_lng as decimal(9, 6)) as longitude,

        ---------- address
        lower(nullif(trim(geolocation_city), '')) as city,
        upper(nullif(trim(geolocation_state), '')) as state,

        ---------- origin
        _file,
        _file_row,
        _load_seq,
        _version_at

    from arrived

),

versions as (

    select * from typed

    {{ union_known_versions('typed', ['zip_prefix', 'latitude', 'longitude']) }}

),

latest as (

    select *
    from versions
    where
        zip_prefix is not null
        and latitude is not null
        and longitude is not null
    qualify row_number() over (
        partition by zip_prefix, latitude, longitude
        order by {{ order_of_truth() }}
    ) = 1

)

select * from latest
