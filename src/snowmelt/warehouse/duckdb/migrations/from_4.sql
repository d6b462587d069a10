-- every verb that somebody asked for and that changes something; arguments: JSON
-- door: pages, api, socket, command; result: done, or the kind of the error
create table snowmelt.action_log (
    who varchar not null,
    door varchar not null,
    action varchar not null,
    arguments varchar not null,
    result varchar not null,
    problem varchar,
    started_at timestamptz not null,
    ended_at timestamptz not null
);
