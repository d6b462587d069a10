-- title: Active users by day, the last 90 days of events
-- chart: line
-- x: day
-- y: active_users

select
    day,
    count(*) as active_users
from gold.user_days
where day > (select max(day) from gold.user_days) - 90
group by day
order by day
