-- The customers of one file, record by record. `kind` is good, or how the record is broken; what
-- silver puts right in a good record has a column of its own, for the count.

create or replace temp view customers_good as
with

chosen as (

    select
        c,
        case
            when getvariable('increment') = 0 then 'good'
            when c > getvariable('known_customers') then 'new_customers'
            else 'changed_customers'
        end as kind
    from (
        select c from range(getvariable('first'), getvariable('after')) as t (c)
        union all
        select c from range(1, getvariable('changes_before')) as t (c)
        where c = getvariable('increment')
            or draw(c, 'changed ' || getvariable('increment')) < 0.0005
    )

),

drawn as (

    select
        c,
        kind,
        1 + floor(18 * draw(c, 'first name'))::integer as first_name,
        1 + floor(16 * draw(c, 'last name'))::integer as last_name,
        pick(['example.com', 'example.org', 'example.net'], draw(c, 'domain')) as domain,
        pick(
            ['Germany', 'France', 'United Kingdom', 'USA', 'Spain', 'Italy', 'Netherlands',
             'Poland', 'Sweden', 'Austria', 'Portugal', null],
            power(draw(c, 'country'), 1.5)
        ) as country,
        case when kind = 'changed_customers' then 0.99 else draw(c, 'type') end as type_drawn,
        draw(c, 'gender') as gender_drawn,
        18 + floor(70 * power(draw(c, 'age'), 1.4))::integer as age,
        floor(400000 * power(draw(c, 'purchases'), 4))::bigint as purchases_cents,
        hit(c, 'odd type', getvariable('dirty') / 4) as has_unknown_type,
        hit(c, 'odd age', getvariable('dirty') / 4) as has_odd_age,
        hit(c, 'odd purchases', getvariable('dirty') / 4) as has_negative_purchases,
        hit(c, 'padded name', getvariable('dirty') / 4) as is_padded,
        draw(c, 'float age') < 0.05 as is_float_age,
        draw(c, 'mixed case') < 0.02 as is_mixed_case
    from chosen

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
    kind,
    customer_id(c) as customer_id,
    case when is_padded then '  ' || name || ' ' else name end as name,
    mailbox,
    domain,
    case when is_mixed_case then upper(mailbox[1]) || mailbox[2:] else mailbox end || '@'
        || case when kind = 'changed_customers' then 'new.' else '' end || domain as email,
    country,
    case
        when has_unknown_type then pick(['VIP', 'Staff', 'X1', null, 'Regular?'], draw(c, 'which type'))
        else usual_type
    end as customer_type,
    (date '2012-01-01' + floor(4300 * draw(c, 'registered'))::integer)::varchar as registration_date,
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

create or replace temp view customers_records as
select n, 0 as copy, kind, customer_id, name, email, country, customer_type, registration_date, age, gender, purchases_cents
from customers_good

union all

select
    good.n,
    broken.copy,
    broken.kind,
    case broken.kind
        when 'duplicate_customers' then good.customer_id
        when 'missing_customer_ids' then null
        else broken_id('C', good.n, broken.copy)
    end,
    good.name,
    case broken.kind
        when 'missing_emails' then null
        when 'bad_emails'
        then pick(
            [good.mailbox, good.mailbox || '.at.' || good.domain, good.mailbox || '@@' || good.domain,
             '@' || good.domain, good.mailbox || '@example'],
            draw(good.n, 'bad email')
        )
        else good.email
    end,
    good.country,
    good.customer_type,
    good.registration_date,
    good.age,
    good.gender,
    good.purchases_cents
from customers_good as good, (
    values (1, 'duplicate_customers'), (2, 'missing_customer_ids'), (3, 'missing_emails'), (4, 'bad_emails')
) as broken (copy, kind)
where hit(good.n * 8 + broken.copy, 'broken customer', getvariable('dirty') / 8)
    or (good.n = getvariable('first') and getvariable('dirty') > 0);

create or replace temp view customers_file as
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

create or replace temp view customers_repairs as
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
from customers_good;
