-- Grain: one row per block of lines of one file, in the order they are to be written.
select
    part,
    is_late,
    string_agg(text, '' order by n, k, copy) as text,
    histogram(kind) as kinds
from file_lines()
group by part, is_late, n // 2000
order by is_late, part, n // 2000;
