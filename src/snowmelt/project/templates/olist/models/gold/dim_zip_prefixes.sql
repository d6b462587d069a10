-- Grain: one row per zip prefix that somebody measured.
--
-- The point is the median of its points in each direction: one point in the sea does not move
-- it. Of the places that are told for it, the one of most points counts; of equals, the first
-- by name. The median of an even number lies between two points, hence a seventh decimal.

{{
    config(
        materialized='affected_keys',
        unique_key='zip_prefix',
    )
}}

with

{% call snowmelt.affected() %}

    select zip_prefix from {{ snowmelt.stream(ref('geolocation')) }}

{% endcall %}

points as (

    select *
    from {{ ref('geolocation') }}
    where {{ snowmelt.is_affected('zip_prefix') }}

),

medians as (

    select
        zip_prefix,
        median(cast(latitude as decimal(10, 7))) as latitude,
        median(cast(longitude as decimal(10, 7))) as longitude,
        count(*) as point_count,
        count(distinct state) as state_count
    from points
    group by zip_prefix

),

places as (

    select
        zip_prefix,
        city,
        state
    from points
    group by zip_prefix, city, state
    qualify row_number() over (
        partition by zip_prefix
        order by count(*) desc, city nulls last, state nulls last
    ) = 1

),

joined as (

    select
        ---------- keys
        medians.zip_prefix,

        ---------- address
        places.city,
        places.state,

        ---------- the middle, in degrees
        cast(medians.latitude as decimal(10, 7)) as latitude,
        cast(medians.longitude as decimal(10, 7)) as longitude,

        ---------- measures
        medians.point_count,
        medians.state_count

    from medians
    inner join places
        on medians.zip_prefix = places.zip_prefix

)

select * from joined
