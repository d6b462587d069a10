-- The customers of one file, record by record. `kind` is good, or how the record is broken; what
-- silver puts right in a good record has a column of its own, for the count.

create temp macro customers_of(source) as table
with

hashed as (

    select
        n as c,
        copy,
        bits(n, 'person') as person,
        bits(n, 'customer') as h,
        bits(n, 'spelling') as spelling,
        fraction(bits(n, 'oddity')) as oddity
    from query_table(source)

),

drawn as (

    select
        c,
        copy,
        1 + floor(18 * slice(person, 0))::integer as first_name,
        1 + floor(16 * slice(person, 16))::integer as last_name,
        choose(['example.com', 'example.org', 'example.net'], person, 32) as domain,
        pick(
            ['Germany', 'France', 'United Kingdom', 'USA', 'Spain', 'Italy', 'Netherlands',
             'Poland', 'Sweden', 'Austria', 'Portugal', null],
            power(slice(person, 48), 1.5)
        ) as country,
        case when is_changed(c) then 0.99 else slice(h, 48) end as type_drawn,
        slice(spelling, 0) as gender_drawn,
        18 + floor(70 * power(slice(h, 32), 1.4))::integer as age,
        floor(400000 * power((h & 4294967295) / 4294967296.0, 4))::bigint as purchases_cents,
        date '2012-01-01' + floor(4300 * slice(spelling, 16))::integer as registered_on,
        slice(spelling, 32) < 0.05 as is_float_age,
        slice(spelling, 48) < 0.02 as is_mixed_case,
        is_odd(c, oddity, 1) as has_unknown_type,
        is_odd(c, oddity, 2) as has_odd_age,
        is_odd(c, oddity, 3) as has_negative_purchases,
        is_odd(c, oddity, 4) as is_padded
    from hashed

),

spelled as (

    select
        *,
        ['Anna', 'Ben', 'Clara', 'David', 'Élodie', 'Finn', 'Grace', 'Hugo', 'Inês', 'Jan',
         'Anne-Marie', 'Jean-Luc', 'Karolina', 'Léa', 'Marco', 'Noor', 'Øyvind', 'Zoë'
        ][first_name] || ' '
        || ['Smith', 'Müller', 'Rossi', 'Dubois', 'García', 'O''Neil', 'Nowak', 'Lindström',
            'Van Dijk', 'Silva', 'D''Angelo', 'Weber', 'Kowalska', 'Moreau', 'Byrne', 'Fischer'
        ][last_name] as name,
        ['anna', 'ben', 'clara', 'david', 'elodie', 'finn', 'grace', 'hugo', 'ines', 'jan',
         'anne-marie', 'jean-luc', 'karolina', 'lea', 'marco', 'noor', 'oyvind', 'zoe'
        ][first_name] || '.'
        || ['smith', 'muller', 'rossi', 'dubois', 'garcia', 'oneil', 'nowak', 'lindstrom',
            'vandijk', 'silva', 'dangelo', 'weber', 'kowalska', 'moreau', 'byrne', 'fischer'
        ][last_name] || c as mailbox,
        pick(
            ['Regular', 'Regular', 'REGULAR', 'REGULAR', 'REGULAR', 'REG', 'REG', 'R', 'R', 'regular',
             'reg', 'Regular', 'Regular', 'R', 'Premium', 'PREMIUM', 'PREM', 'P', 'premium', 'Premium'],
            type_drawn
        ) as usual_type,
        pick(
            ['M', 'F', 'M', 'F', 'Male', 'Female', 'Male', 'Female', 'male', 'female', 'MALE',
             'FEMALE', 'm', 'f', 'M', 'F', 'X', 'Other', null, 'nonbinary'],
            gender_drawn
        ) as gender
    from drawn

)

select
    c as n,
    copy,
    case
        when copy = 0 then kind_of(c)
        else ['duplicate_customers', 'missing_customer_ids', 'missing_emails', 'bad_emails'][copy]
    end as kind,
    customer_id(c) as customer_id,
    case when is_padded then '  ' || name || ' ' else name end as name,
    mailbox,
    domain,
    case when is_mixed_case then upper(mailbox[1]) || mailbox[2:] else mailbox end || '@'
        || case when is_changed(c) then 'new.' else '' end || domain as email,
    country,
    case
        when has_unknown_type then pick(['VIP', 'Staff', 'X1', null, 'Regular?'], draw(c, 'which type'))
        else usual_type
    end as customer_type,
    registered_on::varchar as registration_date,
    case
        when has_odd_age then pick(['-1', '0', '17', '121', '999'], draw(c, 'which age'))
        when is_float_age then age::varchar || '.0'
        else age::varchar
    end as age,
    gender,
    case when has_negative_purchases then -1 - purchases_cents else purchases_cents end as purchases_cents,
    has_unknown_type,
    has_odd_age,
    has_negative_purchases,
    is_padded,
    is_float_age and not has_odd_age as is_float_age,
    is_mixed_case,
    not has_unknown_type and usual_type not in ('Regular', 'Premium') as is_respelled,
    gender_drawn >= 0.8 as is_other_gender
from spelled;

create temp view customers_records as
select n, copy, kind, customer_id, name, email, country, customer_type, registration_date, age, gender, purchases_cents
from customers_of('chosen')

union all

select
    n,
    copy,
    kind,
    case kind
        when 'duplicate_customers' then customer_id
        when 'missing_customer_ids' then null
        else broken_id('C', n, copy)
    end,
    name,
    case kind
        when 'missing_emails' then null
        when 'bad_emails'
        then pick(
            [mailbox, mailbox || '.at.' || domain, mailbox || '@@' || domain,
             '@' || domain, mailbox || '@example'],
            draw(n, 'bad email')
        )
        else email
    end,
    country,
    customer_type,
    registration_date,
    age,
    gender,
    purchases_cents
from customers_of('broken');

create temp view customers_file as
select
    customer_id,
    name,
    email,
    country,
    customer_type,
    registration_date,
    age,
    gender,
    euros(purchases_cents) as total_purchases
from customers_records;

create temp view customers_repairs as
select unnest([
    ('unknown_types', count(*) filter (has_unknown_type)),
    ('ages_out_of_range', count(*) filter (has_odd_age)),
    ('negative_purchases', count(*) filter (has_negative_purchases)),
    ('padded_names', count(*) filter (is_padded)),
    ('ages_as_floats', count(*) filter (is_float_age)),
    ('mixed_case_emails', count(*) filter (is_mixed_case)),
    ('types_respelled', count(*) filter (is_respelled)),
    ('other_genders', count(*) filter (is_other_gender))
], recursive := true)
from customers_of('chosen');
