-- what programs asked this service to do, in the order they asked
-- what: run, refresh, rebuild, audit, tasks; asked, answer: JSON
-- state: QUEUED, EXECUTING, SUCCEEDED, FAILED, CANCELLED
create table snowmelt.errands (
    errand bigint not null,
    key varchar,
    what varchar not null,
    asked varchar not null,
    cause varchar,
    who varchar not null,
    state varchar not null,
    tries bigint not null,
    asked_at timestamptz not null,
    began_at timestamptz,
    ended_at timestamptz,
    run_id varchar,
    graph_run_group_id varchar,
    answer varchar,
    problem varchar
);
