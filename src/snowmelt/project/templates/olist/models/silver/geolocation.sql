-- Grain: one row per zip prefix and point, to the sixth decimal (11 cm); the newest version.

{{
    config(
        materialized='latest_version',
        unique_key=['zip_prefix', 'latitude', 'longitude'],
    )
}}

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

from {{ snowmelt.stream('bronze', 'geolocation') }}
