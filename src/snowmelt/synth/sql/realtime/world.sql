-- Who the users are.

create or replace temp macro first_name(u) as
    pick([
        'Ada', 'Bo', 'Chiara', 'Dana', 'Emre', 'Fatou', 'Gil', 'Hana', 'Ivo', 'Jun', 'Kai', 'Lucía',
        'Mika', 'Nils', 'Oluchi', 'Priya', 'Quang', 'Rosa', 'Søren', 'Tom', 'Uma', 'Věra', 'Wei', 'Zoë'
    ], draw(u, 'first name'));

create or replace temp macro last_name(u) as
    pick([
        'Almeida', 'Berg', 'Costa', 'Diallo', 'Eriksen', 'Fontaine', 'Gupta', 'Hansen', 'Ito', 'Jansen',
        'Kaya', 'Lopes', 'Moreau', 'Nguyen', 'O''Brien', 'Petrov', 'Reyes', 'Sato', 'Tanaka', 'Weiss'
    ], draw(u, 'last name'));

create or replace temp macro plain(name) as
    regexp_replace(lower(strip_accents(name)), '[^a-z]', '', 'g');

create or replace temp macro domain_of(n) as
    pick(['example.com', 'example.org', 'example.net'], draw(n, 'domain'));

-- Cents with all digits, for more to follow.
create or replace temp macro long_money(cents) as
    (cents // 100)::varchar || '.' || lpad((cents % 100)::varchar, 2, '0');
