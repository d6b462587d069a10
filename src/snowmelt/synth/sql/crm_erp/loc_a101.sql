-- The ERP's countries; see cust_info.

create or replace temp view loc_a101_records as
with

written as (

    select
        *,
        damage(c, 'dash', ['dashes_in_ids'], getvariable('dirty') * 2) as id_damage,
        case
            when getvariable('dirty') = 0 then null
            when c <= 3 then ['countries_as_de', 'countries_as_us', 'countries_as_usa'][c::int]
            when c <= 6 then ['empty_countries', 'blank_countries', 'padded_countries'][c::int - 3]
            when draw(c, 'country written') >= getvariable('dirty') then null
            when draw(c, 'no country') < 0.3
            then pick(['empty_countries', 'blank_countries', 'padded_countries'], draw(c, 'which country'))
            when country = 'Germany' then 'countries_as_de'
            when country = 'United States'
            then pick(['countries_as_us', 'countries_as_usa'], draw(c, 'code'))
        end as country_damage
    from customers

),

records as (

    select
        c,
        case when id_damage is null then number else number[1:2] || '-' || number[3:] end as id,
        case country_damage
            when 'countries_as_de' then 'DE'
            when 'countries_as_us' then 'US'
            when 'countries_as_usa' then 'USA'
            when 'empty_countries' then ''
            when 'blank_countries' then '   '
            when 'padded_countries' then country || '  '
            else country
        end as country,
        list_filter([id_damage, country_damage], lambda each: each is not null) as repairs,
        id_damage is not null as has_dash,
        number
    from written

)

select c as n, 0 as copy, 'good' as kind, repairs, [id, country] as fields from records
union all
select c, 1, 'location_twins', [], [number, country]
from records
where has_dash and hit(c, 'twin place', getvariable('dirty') / 4);
