-- Into the outbox: the records of the events from first_event to before end_event, with the file that
-- each arrives in. `sent_as` is good, how a record is sent once more, or how it is broken; `repairs`
-- names what silver puts right in it. Fields are CSV text.

-- Grain: one row per event, and per earlier order that one of them changes.
create or replace temp table happened as
with

numbers as (

    select n::bigint as n from range(getvariable('first_event'), getvariable('end_event')) as t (n)

),

kinds as (

    select
        n,
        kind_of(n) as kind,
        order_before(n) as earlier_order
    from numbers

)

select
    n,
    kind,
    case when kind in ('amended', 'cancel') then earlier_order else n end as o
from kinds
union
select
    earlier_order,
    'order',
    earlier_order
from kinds
where kind in ('amended', 'cancel');

-- Which file each arrives in: most in that of their time, some in one of the three after it.
create or replace temp table fates as
with

chances as (

    select
        n,
        o,
        kind,
        ((n - 1) * getvariable('files_up') // getvariable('events_up'))::bigint as file,
        kind in ('order', 'amended') and hit(n, 'corrected', getvariable('dirty') / 4) as is_wrong_first,
        n = 18 or draw(n, 'late') < 0.03 as is_late,
        draw(n, 'late by') as late_by,
        draw(n, 'corrected in') as corrected_in,
        draw(n, 'again in') as again_in
    from happened

),

files as (

    select
        *,
        later_file(file, late_by) as late_file,
        later_file(file, corrected_in) as corrected_file,
        later_file(file, again_in) as again_file
    from chances

)

-- an order whose amount is wrong at first is put right by the same event in a later file
select
    n,
    o,
    kind,
    file,
    again_file,
    is_wrong_first and corrected_file > file as is_corrected,
    case
        when is_wrong_first and corrected_file > file then corrected_file
        when is_late then late_file
        else file
    end as arrives_in
from files;

create or replace temp table told as
with

events as (

    select
        *,
        case when n % 12 = 1 then block_of(n) else member_of(o) end as u,
        getvariable('first_moment') + to_microseconds(
            (getvariable('pace') * 1000000 * (n - 1 + 0.9 * draw(n, 'moment')) / getvariable('rate'))::bigint
        ) as moment,
        greatest(1, floor(4000 * exp(0.8 * gauss(n, 'amount'))))::bigint as cents
    from fates
    where n >= getvariable('first_event')

)

select
    n,
    kind,
    o,
    file,
    again_file,
    is_corrected,
    arrives_in,
    id_of('event', n) as event_id,
    moment,
    case kind when 'amended' then 'order' else kind end as event_type,
    'u' || u as user_id,
    case when kind in ('signup', 'profile') then first_name(u) || ' ' || last_name(u) end as name,
    case
        when kind in ('signup', 'profile')
        then plain(first_name(u)) || '.' || plain(last_name(u)) || u
            || case kind when 'profile' then '.' || n else '' end || '@' || domain_of(n)
    end as email,
    case
        when kind in ('signup', 'profile') then region_of(n)
        when kind in ('order', 'amended') and draw(o, 'says where') < 0.6 then region_of(12 * u - 11)
        when kind in ('order', 'amended') and draw(o, 'says where') < 0.7 then region_of(n)
    end as region,
    case when kind in ('order', 'amended', 'cancel') then order_id_of(o) end as order_id,
    case when kind in ('order', 'amended') then cents end as cents,
    hit(n, 'odd type', getvariable('dirty') / 8) as is_odd_type,
    hit(n, 'epoch time', getvariable('dirty') / 8) as is_epoch,
    hit(case n when 3 then 1 when 1 then 0 else n end, 'offset time', getvariable('dirty') / 8)
        as is_offset,
    kind in ('signup', 'profile') and hit(n, 'padded name', getvariable('dirty')) as is_padded,
    kind in ('signup', 'profile') and hit(n, 'odd email', getvariable('dirty')) as is_odd_email,
    kind in ('signup', 'profile') and hit(n, 'odd region', getvariable('dirty')) as is_odd_region,
    kind in ('order', 'amended') and hit(n, 'long amount', getvariable('dirty') / 2) as is_long,
    kind = 'visit' and hit(n, 'stray amount', getvariable('dirty') / 8) as is_stray
from events;

create or replace temp table written as
select
    n,
    kind,
    o,
    file,
    again_file,
    is_corrected,
    arrives_in,
    event_id,
    case
        when is_epoch then epoch_ms(moment)::varchar
        when is_offset then strftime(moment + interval 2 hour, '%Y-%m-%dT%H:%M:%S.%g') || '+02:00'
        else strftime(moment, '%Y-%m-%dT%H:%M:%S.%g') || 'Z'
    end as event_at,
    case
        when not is_odd_type then event_type
        when draw(n, 'which type') < 0.5 then upper(event_type)
        else ' ' || upper(event_type[1]) || replace(event_type[2:], 'nup', 'n-up')
    end as event_type,
    user_id,
    case when is_padded then '  ' || replace(name, ' ', '   ') || ' ' else name end as name,
    case when is_odd_email then upper(email[1]) || email[2:-2] || upper(email[-1:]) else email end as email,
    case when is_odd_region then ' ' || lower(region) else region end as region,
    case when is_stray then order_id_of(6) else order_id end as order_id,
    cents,
    case
        when is_stray then '9.99'
        when not is_long then money(cents)
        when draw(n, 'digits') < 0.5
        then long_money(cents - 1) || pick(['5', '51', '7499', '99999999999'], draw(n, 'below'))
        else long_money(cents) || pick(['4', '49999', '0000000001', '2'], draw(n, 'above'))
    end as amount,
    list_filter([
        case when is_odd_type then 'odd_types' end,
        case when is_epoch then 'epoch_times' end,
        case when is_offset and not is_epoch then 'offset_times' end,
        case when is_padded then 'padded_names' end,
        case when is_odd_email then 'mixed_case_emails' end,
        case when is_odd_region then 'odd_case_regions' end,
        case when is_long then 'long_amounts' end,
        case when is_stray then 'stray_orders' end
    ], lambda quirk: quirk is not null) as repairs
from told;

insert into outbox
with

sent as (

    select arrives_in as to_file, 0 as copy, 'good' as sent_as, * from written

    union all

    select arrives_in, 1, 'duplicate_events', * from written
    where hit(n, 'duplicate', getvariable('dirty') / 4)

    union all

    select again_file, 2, 'redelivered_events', * from written
    where hit(n, 'redelivered', getvariable('dirty') / 4) and again_file > file

    union all

    select file, 3, 'corrected_events', *
        replace (
            long_money(cents + 100) as amount,
            list_filter(repairs, lambda quirk: quirk <> 'long_amounts') as repairs
        )
    from written
    where is_corrected

),

-- beside a good event: one like it that breaks a rule, under an id of its own
broken as (

    select
        written.file as to_file,
        10 + made.number as copy,
        made.kind as sent_as,
        written.* replace (
            case made.kind when 'missing_event_ids' then null else id_of(made.kind, written.n) end as event_id,
            case made.kind when 'missing_user_ids' then null else user_id end as user_id,
            case made.kind
                when 'missing_times' then null
                when 'unreadable_times'
                then pick(['2024-13-45T00:00:00Z', 'yesterday', '12', '01/05/2024'], draw(written.n, 'no time'))
                when 'future_times' then '2' || pick(['101', '199'], draw(written.n, 'future')) || '-01-01T00:00:00Z'
                else event_at
            end as event_at,
            case
                when made.kind = 'missing_types' then null
                when made.kind = 'unknown_types'
                then pick(['click', 'refund', 'purchased'], draw(written.n, 'no type'))
                when made.kind = 'bad_emails' then 'signup'
                when made.number >= 9 then 'order'
                else event_type
            end as event_type,
            case
                when made.kind = 'bad_emails'
                then pick(['ada.example.org', 'ada@@example.org', '@example.org', 'ada@example'], draw(written.n, 'no email'))
                else email
            end as email,
            case
                when made.kind = 'orders_without_id' then null
                when made.number >= 9 then 'x' || written.n
                else order_id
            end as order_id,
            case made.kind
                when 'orders_without_amount' then null
                when 'amounts_not_above_0' then pick(['0', '0.00', '-5.00', '0.004'], draw(written.n, 'low'))
                when 'amounts_above_1000000' then pick(['1000000.01', '99999999'], draw(written.n, 'high'))
                when 'unreadable_amounts' then pick(['"12,50"', 'EUR 5', '5.0.0'], draw(written.n, 'no amount'))
                else case when made.number >= 9 then '5.00' else amount end
            end as amount,
            [] as repairs
        )
    from written, (
        values (1, 'missing_event_ids'), (2, 'missing_user_ids'), (3, 'missing_times'),
            (4, 'unreadable_times'), (5, 'future_times'), (6, 'missing_types'), (7, 'unknown_types'),
            (8, 'bad_emails'), (9, 'orders_without_id'), (10, 'orders_without_amount'),
            (11, 'amounts_not_above_0'), (12, 'amounts_above_1000000'), (13, 'unreadable_amounts'),
            (14, 'torn_records')
    ) as made (number, kind)
    where getvariable('dirty') > 0
        and (written.n = 1 or draw(written.n, made.kind) < getvariable('dirty') / 24)

),

arrived as (

    select * from sent
    union all
    select * from broken

)

select
    arrived.to_file as file,
    arrived.n,
    arrived.copy,
    arrived.sent_as,
    arrived.repairs,
    list_filter([
        case when not arrived.is_corrected and arrived.file < arrived.to_file then 'late_events' end,
        case when arrived.kind = 'cancel' then 'cancels' end,
        case
            when arrived.kind = 'cancel' and arrived.to_file
                < case when placed.is_corrected then placed.file else placed.arrives_in end
            then 'early_cancels'
        end,
        case when arrived.kind = 'amended' then 'amended_orders' end,
        case when arrived.kind = 'profile' then 'changed_profiles' end
    ], lambda quirk: quirk is not null and arrived.sent_as = 'good') as quirks,
    array_to_string(
        [
            coalesce(event_id, ''), coalesce(event_at, ''), coalesce(event_type, ''),
            coalesce(user_id, ''), csv(name), coalesce(email, ''), coalesce(region, ''),
            coalesce(order_id, ''), coalesce(amount, '')
        ][:case arrived.sent_as when 'torn_records' then 3 else 9 end],
        ','
    ) as line,
    -- neighbours in time change places; a second copy comes after the first
    arrived.n + 4 * draw(arrived.n, 'place') + arrived.copy / 100.0 as place
from arrived
inner join fates as placed
    on arrived.o = placed.n;
