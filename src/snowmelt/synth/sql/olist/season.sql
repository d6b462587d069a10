-- When people buy: growth by month, shape of the week and of the day, holidays.

create or replace temp table months (month date, weight double);

insert into months values
    ('2016-09-01', 0.1), ('2016-10-01', 0.7), ('2016-11-01', 0.9), ('2016-12-01', 1.1),
    ('2017-01-01', 1.9), ('2017-02-01', 4.1), ('2017-03-01', 5.7), ('2017-04-01', 5.6),
    ('2017-05-01', 7.6), ('2017-06-01', 7.1), ('2017-07-01', 8.4), ('2017-08-01', 9.1),
    ('2017-09-01', 9.3), ('2017-10-01', 9.8), ('2017-11-01', 13.5), ('2017-12-01', 12.4),
    ('2018-01-01', 15.2), ('2018-02-01', 15.4), ('2018-03-01', 15.1), ('2018-04-01', 15.0),
    ('2018-05-01', 14.5), ('2018-06-01', 13.4), ('2018-07-01', 13.2), ('2018-08-01', 13.8),
    ('2018-09-01', 1.2), ('2018-10-01', 0.2);

-- Grain: one row per hour, with the share of all orders that came before it.
create or replace temp table hours as
with

days as (

    select
        day::timestamp as day,
        weight
            * [0.80, 1.13, 1.12, 1.08, 1.03, 1.00, 0.76][1 + dayofweek(day)]
            * (0.88 + 0.24 * draw(epoch(day)::bigint // 86400, 'day'))
            * case
                when day in ('2016-11-25', '2017-11-24') then 4.2
                when day in ('2016-11-26', '2017-11-25') then 1.9
                when monthday in ('1224', '1225', '1231', '0101') then 0.5
                else 1
            end as weight
    from (
        select unnest(generate_series(date '2016-09-04', date '2018-10-17', interval 1 day))
            as day
    ) as calendar,
    lateral (select strftime(calendar.day, '%m%d') as monthday)
    join months on months.month = date_trunc('month', calendar.day)

),

hour_weights as (

    select
        day + to_hours(hour) as hour_at,
        round(1e6 * weight * [
            2.4, 1.1, 0.5, 0.3, 0.2, 0.2, 0.5, 1.2, 3.0, 4.8, 6.2, 6.6,
            6.0, 6.5, 6.6, 6.5, 6.7, 6.2, 5.8, 6.0, 6.2, 6.2, 5.8, 4.2
        ][1 + hour])::bigint as weight
    from days, range(24) as t (hour)

)

select
    hour_at,
    (sum(weight) over (order by hour_at) - weight) / sum(weight) over () as low,
    weight / sum(weight) over () as width
from hour_weights;
