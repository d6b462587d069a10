-- The ERP's birth dates and genders; see cust_info.

create or replace temp view cust_az12_records as
with

written as (

    select
        *,
        damage(c, 'nas', ['leading_nas'], getvariable('dirty') * 2) as id_damage,
        damage(c, 'born', ['future_birth_dates', 'missing_birth_dates'], getvariable('dirty') / 4) as birth_damage,
        -- as in cust_info, where neither knows
        damage(
            c, 'crm gender', ['odd_crm_genders', 'genders_only_in_erp', 'genders_nowhere'],
            getvariable('dirty')
        ) as crm_damage,
        damage(c, 'erp gender', ['odd_erp_genders'], getvariable('dirty')) as gender_damage
    from customers

),

records as (

    select
        c,
        case when id_damage is null then number else 'NAS' || number end as id,
        case birth_damage
            when 'future_birth_dates'
            then strftime(date '2050-01-01' + floor(15000 * draw(c, 'unborn'))::integer, '%Y-%m-%d')
            when 'missing_birth_dates' then ''
            else strftime(birth_day, '%Y-%m-%d')
        end as birth,
        case
            when crm_damage is not distinct from 'genders_nowhere' then ''
            when gender_damage is not null then odd_gender(gender, draw(c, 'erp spelling'))
            when gender = 'M' then 'Male'
            else 'Female'
        end as gender,
        list_filter([
            id_damage,
            birth_damage,
            case when crm_damage is distinct from 'genders_nowhere' then gender_damage end
        ], lambda each: each is not null) as repairs,
        id_damage is not null as has_nas,
        number
    from written

)

select c as n, 0 as copy, 'good' as kind, repairs, [id, birth, gender] as fields from records
union all
-- once with NAS and once without
select c, 1, 'erp_customer_twins', [], [number, birth, gender]
from records
where has_nas and hit(c, 'twin', getvariable('dirty') / 4);
