-- The customers of one day's file, record by record. `kind` is good, duplicate, or how the record
-- is broken; `repairs` names what silver puts right in it. Fields are CSV text.

create or replace temp view customers_records as
with

known as (

    select
        c,
        name,
        country,
        mailbox,
        domain,
        mailbox || case when changed_day <= getvariable('day') then 'new.' else '' end || domain
            as email,
        hit(c, 'padded name', getvariable('dirty') / 4) as is_padded,
        hit(c, 'odd case name', getvariable('dirty') / 4) as is_odd_case,
        hit(c, 'mixed case email', getvariable('dirty') / 4) as is_mixed_case,
        hit(c, 'lower country', getvariable('dirty') / 4) as is_lower
    from customers
    where joined_day <= getvariable('day')

),

written as (

    select
        c,
        case when is_padded then '  ' || cased || ' ' else cased end as name,
        case when is_lower then lower(country) else country end as country,
        case
            when is_mixed_case then upper(email[1]) || email[2:-2] || upper(email[-1:])
            else email
        end as email,
        list_filter([
            case when is_padded then 'padded_names' end,
            case when is_odd_case then 'odd_case_names' end,
            case when is_mixed_case then 'mixed_case_emails' end,
            case when is_lower then 'lower_case_countries' end
        ], lambda quirk: quirk is not null) as repairs
    from (
        select
            *,
            case
                when not is_odd_case then name
                when draw(c, 'shouted') < 0.5 then upper(name)
                else lower(name)
            end as cased
        from known
    )

),

records as (

    select c, 0 as copy, 'good' as kind, c::varchar as id, name, country, email, repairs
    from written

    union all

    select c, 1, 'duplicate_customers', c::varchar, name, country, email, repairs
    from written
    where hit(c, 'duplicate customer', getvariable('dirty') / 4)

    union all

    select
        known.c,
        broken.copy,
        broken.kind,
        case
            when broken.kind <> 'missing_customer_ids' then broken_customer(known.c, broken.copy)
        end,
        known.name,
        known.country,
        case broken.kind
            when 'missing_emails' then null
            when 'bad_emails'
            then pick(
                [
                    replace(email, '@', '.at.'), replace(email, '@', '@@'), mailbox,
                    mailbox || 'example', '@' || domain
                ],
                draw(known.c, 'bad email')
            )
            else email
        end,
        []
    from known, (
        values (2, 'missing_customer_ids'), (3, 'missing_emails'), (4, 'bad_emails')
    ) as broken (copy, kind)
    where hit(known.c * 8 + broken.copy, 'broken customer', getvariable('dirty') / 6)
        or (known.c = 1 and getvariable('dirty') > 0)

)

select
    c as n,
    copy,
    kind,
    repairs,
    [coalesce(id, ''), csv(name), country, coalesce(email, '')] as fields
from records;
