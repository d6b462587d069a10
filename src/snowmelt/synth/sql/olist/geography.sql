-- Where people live. Shares of customers by state, towns with their prefixes.

create or replace temp table states (
    state varchar, share decimal(6, 2), seller_factor double, delivery_days double
);

insert into states values
    ('SP', 41.9, 1.42, 5.2), ('RJ', 12.9, 0.43, 8.6), ('MG', 11.7, 0.66, 7.3),
    ('RS', 5.5, 0.76, 8.9), ('PR', 5.1, 2.15, 6.9), ('SC', 3.7, 1.75, 8.3),
    ('BA', 3.4, 0.18, 11.4), ('DF', 2.2, 0.45, 7.8), ('ES', 2.0, 0.36, 8.9),
    ('GO', 2.0, 0.60, 9.0), ('PE', 1.7, 0.18, 11.2), ('CE', 1.3, 0.28, 13.3),
    ('PA', 1.0, 0.04, 14.6), ('MT', 0.9, 0.16, 10.6), ('MA', 0.75, 0.05, 13.3),
    ('MS', 0.72, 0.22, 9.3), ('PB', 0.54, 0.32, 12.6), ('PI', 0.5, 0.07, 11.9),
    ('RN', 0.49, 0.33, 12.1), ('AL', 0.42, 0.05, 14.9), ('SE', 0.35, 0.18, 13.0),
    ('TO', 0.28, 0.05, 10.7), ('RO', 0.25, 0.20, 12.2), ('AM', 0.15, 0.10, 16.7),
    ('AC', 0.08, 0.10, 13.2), ('AP', 0.07, 0.05, 16.8), ('RR', 0.05, 0.05, 17.1);

create or replace temp table towns (
    state varchar, town varchar, lat double, lng double, share decimal(6, 2),
    prefix_first integer, prefixes integer
);

insert into towns values
    ('SP', 'são paulo', -23.55, -46.63, 37.0, 1001, 2800),
    ('SP', 'guarulhos', -23.46, -46.53, 3.0, 7001, 200),
    ('SP', 'campinas', -22.91, -47.06, 3.6, 13010, 110),
    ('SP', 'são bernardo do campo', -23.69, -46.56, 2.4, 9600, 160),
    ('SP', 'santo andré', -23.66, -46.53, 2.0, 9010, 260),
    ('SP', 'osasco', -23.53, -46.79, 1.9, 6010, 240),
    ('SP', 'santos', -23.96, -46.33, 1.8, 11010, 85),
    ('SP', 'são josé dos campos', -23.18, -45.89, 1.8, 12209, 38),
    ('SP', 'sorocaba', -23.50, -47.46, 1.6, 18010, 110),
    ('SP', 'jundiaí', -23.19, -46.88, 1.5, 13201, 19),
    ('SP', 'ribeirão preto', -21.18, -47.81, 1.4, 14010, 90),
    ('SP', 'barueri', -23.51, -46.88, 1.2, 6401, 80),
    ('SP', 'mogi das cruzes', -23.52, -46.19, 1.2, 8701, 120),
    ('SP', 'piracicaba', -22.73, -47.65, 1.0, 13400, 33),
    ('SP', 'bauru', -22.31, -49.06, 0.9, 17010, 50),
    ('SP', 'são carlos', -22.02, -47.89, 0.8, 13560, 15),
    ('SP', 'taubaté', -23.03, -45.56, 0.8, 12010, 80),
    ('SP', 'são josé do rio preto', -20.82, -49.38, 0.8, 15010, 90),
    ('SP', 'americana', -22.74, -47.33, 0.7, 13465, 14),
    ('SP', 'ibitinga', -21.76, -48.83, 0.6, 14940, 1),
    ('SP', 'araçatuba', -21.21, -50.43, 0.5, 16010, 70),
    ('SP', 'presidente prudente', -22.13, -51.39, 0.5, 19010, 60),
    ('SP', 'são joão da boa vista', -21.97, -46.80, 0.3, 13870, 8),
    ('RJ', 'rio de janeiro', -22.91, -43.20, 54.0, 20010, 2700),
    ('RJ', 'niterói', -22.88, -43.10, 6.6, 24020, 370),
    ('RJ', 'nova iguaçu', -22.76, -43.45, 3.4, 26010, 270),
    ('RJ', 'são gonçalo', -22.83, -43.05, 3.3, 24410, 350),
    ('RJ', 'duque de caxias', -22.79, -43.31, 3.2, 25010, 200),
    ('RJ', 'petrópolis', -22.51, -43.18, 2.0, 25610, 130),
    ('RJ', 'macaé', -22.37, -41.79, 1.7, 27910, 50),
    ('RJ', 'volta redonda', -22.52, -44.10, 1.6, 27210, 80),
    ('RJ', 'campos dos goytacazes', -21.75, -41.32, 1.5, 28010, 100),
    ('MG', 'belo horizonte', -19.92, -43.94, 24.0, 30110, 1600),
    ('MG', 'contagem', -19.93, -44.05, 3.7, 32010, 330),
    ('MG', 'juiz de fora', -21.76, -43.35, 3.3, 36010, 80),
    ('MG', 'uberlândia', -18.92, -48.28, 3.0, 38400, 16),
    ('MG', 'montes claros', -16.73, -43.86, 1.7, 39400, 9),
    ('MG', 'betim', -19.97, -44.20, 1.6, 32600, 80),
    ('MG', 'ipatinga', -19.47, -42.54, 1.5, 35160, 5),
    ('MG', 'governador valadares', -18.85, -41.95, 1.3, 35010, 60),
    ('MG', 'poços de caldas', -21.79, -46.56, 1.2, 37701, 14),
    ('MG', 'são joão del rei', -21.13, -44.26, 0.8, 36300, 9),
    ('RS', 'porto alegre', -30.03, -51.22, 25.0, 90010, 1700),
    ('RS', 'caxias do sul', -29.17, -51.18, 5.3, 95010, 110),
    ('RS', 'pelotas', -31.77, -52.34, 3.5, 96010, 80),
    ('RS', 'canoas', -29.92, -51.18, 3.4, 92010, 400),
    ('RS', 'santa maria', -29.69, -53.81, 3.1, 97010, 90),
    ('RS', 'gravataí', -29.94, -50.99, 2.0, 94010, 170),
    ('RS', 'são leopoldo', -29.76, -51.15, 1.8, 93010, 140),
    ('PR', 'curitiba', -25.43, -49.27, 30.0, 80010, 2500),
    ('PR', 'londrina', -23.31, -51.16, 6.0, 86010, 90),
    ('PR', 'maringá', -23.42, -51.94, 5.3, 87010, 110),
    ('PR', 'ponta grossa', -25.09, -50.16, 3.0, 84010, 100),
    ('PR', 'cascavel', -24.96, -53.46, 2.7, 85801, 19),
    ('PR', 'foz do iguaçu', -25.55, -54.59, 2.4, 85851, 19),
    ('PR', 'são josé dos pinhais', -25.53, -49.21, 2.4, 83005, 170),
    ('SC', 'florianópolis', -27.60, -48.55, 16.0, 88010, 60),
    ('SC', 'joinville', -26.30, -48.85, 11.0, 89201, 40),
    ('SC', 'blumenau', -26.92, -49.07, 6.5, 89010, 70),
    ('SC', 'itajaí', -26.91, -48.66, 4.5, 88301, 18),
    ('SC', 'são josé', -27.61, -48.63, 4.0, 88101, 20),
    ('SC', 'criciúma', -28.68, -49.37, 3.0, 88801, 20),
    ('BA', 'salvador', -12.97, -38.50, 37.0, 40010, 1900),
    ('BA', 'feira de santana', -12.27, -38.97, 5.5, 44001, 90),
    ('BA', 'lauro de freitas', -12.89, -38.33, 4.0, 42700, 4),
    ('BA', 'vitória da conquista', -14.87, -40.84, 3.5, 45000, 90),
    ('BA', 'ilhéus', -14.79, -39.05, 2.5, 45650, 8),
    ('DF', 'brasília', -15.79, -47.88, 100.0, 70040, 2600),
    ('ES', 'vitória', -20.32, -40.34, 22.0, 29010, 80),
    ('ES', 'vila velha', -20.33, -40.29, 21.0, 29100, 29),
    ('ES', 'serra', -20.13, -40.31, 17.0, 29160, 17),
    ('ES', 'cariacica', -20.26, -40.42, 10.0, 29140, 15),
    ('GO', 'goiânia', -16.69, -49.26, 55.0, 74000, 890),
    ('GO', 'anápolis', -16.33, -48.95, 9.0, 75020, 110),
    ('GO', 'aparecida de goiânia', -16.82, -49.25, 8.0, 74905, 80),
    ('PE', 'recife', -8.05, -34.88, 50.0, 50010, 2000),
    ('PE', 'jaboatão dos guararapes', -8.11, -35.01, 12.0, 54080, 260),
    ('PE', 'olinda', -8.01, -34.86, 9.0, 53010, 360),
    ('PE', 'caruaru', -8.28, -35.98, 6.0, 55002, 38),
    ('CE', 'fortaleza', -3.73, -38.53, 70.0, 60010, 830),
    ('CE', 'juazeiro do norte', -7.21, -39.32, 6.0, 63010, 40),
    ('CE', 'caucaia', -3.74, -38.66, 4.0, 61600, 50),
    ('PA', 'belém', -1.46, -48.50, 55.0, 66010, 800),
    ('PA', 'ananindeua', -1.36, -48.37, 13.0, 67010, 190),
    ('PA', 'santarém', -2.44, -54.71, 8.0, 68005, 90),
    ('MT', 'cuiabá', -15.60, -56.10, 50.0, 78005, 90),
    ('MT', 'rondonópolis', -16.47, -54.64, 12.0, 78700, 50),
    ('MA', 'são luís', -2.53, -44.30, 62.0, 65010, 90),
    ('MA', 'imperatriz', -5.53, -47.48, 14.0, 65900, 20),
    ('MS', 'campo grande', -20.44, -54.65, 62.0, 79002, 120),
    ('MS', 'dourados', -22.22, -54.81, 14.0, 79800, 45),
    ('PB', 'joão pessoa', -7.12, -34.88, 62.0, 58010, 90),
    ('PB', 'campina grande', -7.22, -35.88, 20.0, 58400, 40),
    ('PI', 'teresina', -5.09, -42.80, 72.0, 64000, 90),
    ('PI', 'parnaíba', -2.90, -41.78, 10.0, 64200, 20),
    ('RN', 'natal', -5.79, -35.21, 64.0, 59010, 130),
    ('RN', 'mossoró', -5.19, -37.34, 13.0, 59600, 45),
    ('AL', 'maceió', -9.67, -35.74, 75.0, 57010, 80),
    ('AL', 'arapiraca', -9.75, -36.66, 12.0, 57300, 19),
    ('SE', 'aracaju', -10.91, -37.07, 78.0, 49010, 90),
    ('TO', 'palmas', -10.18, -48.33, 60.0, 77001, 60),
    ('TO', 'araguaína', -7.19, -48.20, 20.0, 77800, 30),
    ('RO', 'porto velho', -8.76, -63.90, 55.0, 76801, 30),
    ('RO', 'ji-paraná', -10.88, -61.95, 20.0, 76900, 14),
    ('AM', 'manaus', -3.12, -60.02, 95.0, 69005, 95),
    ('AC', 'rio branco', -9.97, -67.81, 90.0, 69900, 20),
    ('AP', 'macapá', 0.03, -51.07, 85.0, 68900, 12),
    ('RR', 'boa vista', 2.82, -60.67, 90.0, 69301, 18);

-- Grain: one row per town. A small set of orders knows fewer prefixes of each town.
create or replace temp table places as
with

shares as (

    select
        row_number() over (order by prefix_first) as place,
        town,
        strip_accents(town) as town_plain,
        towns.state,
        lat,
        lng,
        delivery_days,
        prefix_first,
        ceil(prefixes * least(1, getvariable('orders') / 100000))::integer as prefixes,
        -- whole numbers: a sum of them is the same in any order
        round(1e6 * states.share * towns.share / sum(towns.share) over (partition by state))
            ::bigint as weight,
        seller_factor
    from towns
    join states using (state)

)

select *, round(weight * seller_factor)::bigint as seller_weight from shares;

-- A draw times 10,000, cut to a whole number, finds its place in one lookup.
create or replace temp table place_slots as
with

customers as (

    select place, (sum(weight) over (order by place) - weight) / sum(weight) over () as low
    from places

),

sellers as (

    select
        place,
        (sum(seller_weight) over (order by place) - seller_weight)
            / sum(seller_weight) over () as low
    from places

),

slots as (

    select slot::integer as slot, (slot + 0.5) / 10000 as middle
    from range(10000) as t (slot)

)

select
    slots.slot,
    (select max_by(c.place, c.low) from customers as c where c.low <= slots.middle) as place,
    (select max_by(s.place, s.low) from sellers as s where s.low <= slots.middle)
        as seller_place
from slots;

-- Grain: one row per point that somebody measured in a prefix; one in eight twice. A point of
-- few prefixes is told to be in another state: one of the smallest prefix is.
create or replace temp table geolocation as
with

prefixes as (

    select places.*, prefix_first + step as prefix
    from places, lateral (select unnest(range(places.prefixes)) as step)

),

points as (

    select
        prefixes.*,
        prefix * 64 + step as point,
        step = 0
        and (
            draw(prefix, 'border') < 0.002
            or prefix = (select min(prefix_first) from places)
        ) as is_over_the_border
    from prefixes, lateral (
        select unnest(range(2 + floor(draw(prefixes.prefix, 'points') * 9)::bigint)) as step
    )

)

select
    point,
    copy,
    lpad(prefix::varchar, 5, '0') as prefix,
    lat + 0.04 * gauss(point, 'lat') as lat,
    lng + 0.04 * gauss(point, 'lng') as lng,
    case when draw(point, 'accents') < 0.25 then town else town_plain end as town,
    case when not is_over_the_border then state when state = 'GO' then 'DF' else 'GO' end as state
from points, lateral (
    select unnest(range(case when draw(points.point, 'twice') < 0.125 then 2 else 1 end))
        as copy
);
