-- Grain: one row per good record of every file, and what decides which version counts.
create or replace temp table places (
    stem varchar, n bigint, dated integer, landed integer, file varchar, record bigint, line bigint
);
