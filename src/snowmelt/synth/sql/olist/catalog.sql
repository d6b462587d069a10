-- What is sold and by whom.

create or replace temp table categories (
    category varchar, english varchar, share decimal(6, 2), price double, grams double
);

-- No English: the translation file leaves these categories out.
insert into categories values
    ('cama_mesa_banho', 'bed_bath_table', 9.3, 80, 1500),
    ('beleza_saude', 'health_beauty', 8.7, 85, 500),
    ('esporte_lazer', 'sports_leisure', 8.3, 85, 900),
    ('moveis_decoracao', 'furniture_decor', 7.3, 68, 1700),
    ('informatica_acessorios', 'computers_accessories', 6.6, 90, 450),
    ('utilidades_domesticas', 'housewares', 6.4, 65, 1500),
    ('relogios_presentes', 'watches_gifts', 5.0, 140, 350),
    ('telefonia', 'telephony', 4.2, 40, 220),
    ('ferramentas_jardim', 'garden_tools', 3.8, 70, 1600),
    ('automotivo', 'auto', 3.8, 92, 1300),
    ('brinquedos', 'toys', 3.8, 80, 1000),
    ('cool_stuff', 'cool_stuff', 3.4, 115, 1500),
    ('perfumaria', 'perfumery', 3.1, 95, 330),
    ('bebes', 'baby', 2.8, 95, 1700),
    ('eletronicos', 'electronics', 2.5, 35, 250),
    ('papelaria', 'stationery', 2.3, 60, 700),
    ('fashion_bolsas_e_acessorios', 'fashion_bags_accessories', 1.9, 55, 300),
    ('pet_shop', 'pet_shop', 1.8, 75, 1800),
    ('moveis_escritorio', 'office_furniture', 1.5, 140, 9000),
    ('consoles_games', 'consoles_games', 1.0, 65, 300),
    ('malas_acessorios', 'luggage_accessories', 1.0, 105, 2800),
    ('construcao_ferramentas_construcao', 'construction_tools_construction', 0.9, 85, 1500),
    ('eletrodomesticos', 'home_appliances', 0.8, 60, 1800),
    ('instrumentos_musicais', 'musical_instruments', 0.7, 130, 2200),
    ('eletroportateis', 'small_appliances', 0.7, 190, 3000),
    ('casa_construcao', 'home_construction', 0.6, 70, 1700),
    ('livros_interesse_geral', 'books_general_interest', 0.5, 52, 500),
    ('alimentos', 'food', 0.5, 40, 700),
    ('moveis_sala', 'furniture_living_room', 0.5, 110, 7000),
    ('casa_conforto', 'home_confort', 0.4, 100, 2500),
    ('bebidas', 'drinks', 0.4, 40, 1000),
    ('audio', 'audio', 0.4, 80, 500),
    ('market_place', 'market_place', 0.3, 65, 800),
    ('climatizacao', 'air_conditioning', 0.3, 120, 3500),
    ('construcao_ferramentas_iluminacao', 'construction_tools_lights', 0.3, 80, 900),
    ('livros_tecnicos', 'books_technical', 0.2, 60, 800),
    ('fashion_calcados', 'fashion_shoes', 0.2, 75, 600),
    ('eletrodomesticos_2', 'home_appliances_2', 0.2, 350, 11000),
    ('artes', 'art', 0.2, 70, 900),
    ('agro_industria_e_comercio', 'agro_industry_and_commerce', 0.2, 150, 3500),
    ('pcs', 'computers', 0.2, 950, 5500),
    ('artigos_de_natal', 'christmas_supplies', 0.1, 45, 900),
    ('flores', 'flowers', 0.1, 30, 700),
    ('la_cuisine', 'la_cuisine', 0.1, 120, 1800),
    ('seguros_e_servicos', 'security_and_services', 0.1, 110, 300),
    ('pc_gamer', null, 0.1, 170, 1000),
    ('portateis_cozinha_e_preparadores_de_alimentos', null, 0.1, 220, 3000),
    (null, null, 1.7, 70, 1000);

create or replace temp table category_slots as
with

lows as (

    select *, (sum(share) over (order by share desc, category) - share) / sum(share) over ()
        as low
    from categories

)

select
    slot::integer as slot,
    (select max_by(struct_pack(category, price, grams), low)
     from lows where low <= (slot + 0.5) / 10000) as category
from range(10000) as t (slot);

-- Grain: one row per product.
create or replace temp table products as
with

measured as (

    select
        p::bigint as p,
        category.category as category,
        category.price * exp(0.8 * gauss(p, 'product price')) as price,
        category.grams * exp(0.45 * gauss(p, 'product price')
            + 0.6 * gauss(p, 'product weight')) as grams
    from range(getvariable('products')) as t (p)
    join category_slots on slot = floor(draw(p, 'category') * 10000)::integer

),

priced as (

    select
        p,
        -- the last ones show every kind of gap, however small the set
        case getvariable('products') - p
            when 1 then null when 3 then 'pc_gamer' else category end as category,
        p <> getvariable('products') - 2 and draw(p, 'measured') >= 0.0003 as is_measured,
        greatest(5, least(6500, floor(price)))::bigint * 100
            + pick([0, 49, 50, 90, 90, 90, 99, 99], draw(p, 'product cents')) as price_cents,
        (50 * round(greatest(1, least(600, grams / 50))))::integer as weight_g
    from measured

)

select
    *,
    (16 + floor(8 * abs(gauss(p, 'length')) + 3 * cbrt(weight_g / 100)))::integer as length_cm,
    (2 + floor(9 * abs(gauss(p, 'height')) + 2 * cbrt(weight_g / 100)))::integer as height_cm,
    (11 + floor(6 * abs(gauss(p, 'width')) + 2 * cbrt(weight_g / 100)))::integer as width_cm
from priced;

-- Grain: one row per seller.
create or replace temp table sellers as
select
    s::bigint as s,
    lpad((prefix_first + floor(draw(s, 'seller prefix') * prefixes))::integer::varchar, 5, '0')
        as prefix,
    town_plain as town,
    state
from range(getvariable('sellers')) as t (s)
join place_slots on slot = floor(draw(s, 'seller place') * 10000)::integer
join places on places.place = place_slots.seller_place;
