-- The CRM's customers, record by record. `kind` is good, or why a record does not count; `repairs`
-- names what silver puts right in it. Fields are CSV text.

create or replace temp view cust_info_records as
with

written as (

    select
        *,
        damage(c, 'name', ['padded_first_names', 'padded_last_names'], getvariable('dirty') / 2) as name_damage,
        damage(
            c, 'crm gender', ['odd_crm_genders', 'genders_only_in_erp', 'genders_nowhere'],
            getvariable('dirty')
        ) as gender_damage,
        damage(c, 'married', ['missing_marital_statuses', 'odd_marital_statuses'], getvariable('dirty') / 2)
            as status_damage
    from customers

),

whole as (

    select *
    from written
    where name_damage is null and gender_damage is null and status_damage is null

),

records as (

    select
        c,
        0 as copy,
        'good' as kind,
        id::varchar as id,
        number,
        case name_damage when 'padded_first_names' then padded(first_name) else first_name end as first_name,
        case name_damage when 'padded_last_names' then padded(last_name) else last_name end as last_name,
        case status_damage
            when 'missing_marital_statuses' then ''
            when 'odd_marital_statuses'
            then case marital_status when 'S' then ' single' else 'MARRIED ' end
            else marital_status
        end as marital_status,
        case gender_damage
            when 'odd_crm_genders' then odd_gender(gender, draw(c, 'crm spelling'))
            when 'genders_only_in_erp' then pick(['', 'n/a', ' '], draw(c, 'no gender'))
            when 'genders_nowhere' then ''
            else gender
        end as gender,
        create_day,
        list_filter([name_damage, gender_damage, status_damage], lambda each: each is not null) as repairs
    from written

    union all

    -- before the newest version or behind it: only its date tells
    select
        c,
        case when draw(c, 'older place') < 0.5 then -1 else 1 end,
        'older_customer_versions',
        id::varchar,
        number,
        first_name,
        'Formerly ' || last_name,
        'S',
        case when draw(c, 'older gender') < 0.5 then '' else gender end,
        create_day - 1 - floor(300 * draw(c, 'older'))::integer,
        []
    from written
    where hit(c, 'older customer', getvariable('dirty') / 3)

    union all

    select c, 2, 'duplicate_customers', id::varchar, number, first_name, last_name, marital_status, gender,
        create_day, []
    from whole
    where getvariable('dirty') > 0
        and (draw(c, 'duplicate customer') < getvariable('dirty') / 4 or c = (select min(c) from whole))

    union all

    select
        c,
        3,
        'empty_customer_ids',
        '',
        pick(['SF', 'PO', 'A0', '1345'], draw(c, 'junk')) || c,
        '',
        '',
        '',
        '',
        create_day,
        []
    from written
    where hit(c, 'junk customer', getvariable('dirty') / 6)

)

select
    c as n,
    copy,
    kind,
    repairs,
    [
        id, number, csv(first_name), csv(last_name), marital_status, gender,
        strftime(create_day, '%Y-%m-%d')
    ] as fields
from records;
