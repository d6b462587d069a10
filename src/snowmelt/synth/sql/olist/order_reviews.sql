-- Grain: one row per review of an order. A review may be given to two orders:
-- then it has one id, one text and two order ids.
create or replace temp macro praise() as [
    'Produto muito bom', 'Chegou antes do prazo', 'Recomendo a loja', 'Gostei muito',
    'Veio bem embalado, sem nenhum dano', 'Tudo certo com a compra',
    'Qualidade excelente, preço justo', 'Minha filha amou o presente',
    'A cor é linda, igual à foto', 'Entrega rápida e atendimento ótimo',
    'É o terceiro que compro aqui', 'Comprei o de 15" e serviu direitinho',
    'O famoso "bom, bonito e barato"', 'Já estou usando e não tenho reclamações'];

create or replace temp macro doubt() as [
    'Produto bom, mas a entrega demorou', 'Esperava mais pelo preço',
    'A caixa veio amassada, o produto não', 'O tamanho é menor do que parece na foto',
    'O material é "ok", nada além disso', 'Ainda não testei', 'Faltou o manual em português'];

create or replace temp macro complaint() as [
    'Não recebi o produto até hoje', 'Veio com defeito, quero trocar',
    'Comprei dois e só chegou um', 'A loja não responde às minhas mensagens',
    'O site diz "entregue", mas aqui não chegou nada', 'Produto diferente do anúncio',
    'Péssimo atendimento', 'Chegou quebrado, mal embalado', 'Quero meu dinheiro de volta',
    'Atrasou mais de 20 dias, um absurdo', 'A nota fiscal veio em nome de outra pessoa',
    'Não recomendo'];

create or replace temp macro sentence(score, u) as
    case when score >= 4 then pick(praise(), u)
         when score = 3 then pick(doubt(), u)
         else pick(complaint(), u) end;

create or replace temp macro joint(u) as
    case when u < 0.10 then '.' || chr(13) || chr(10)
         when u < 0.13 then chr(13) || chr(10) || chr(13) || chr(10)
         when u < 0.85 then '. ' else ', ' end;

create or replace temp macro is_sharing(n) as
    draw(n, 'shared review') < 0.008 and draw(n - 1, 'shared review') >= 0.008;

create or replace temp table order_reviews_now as
with

scored as (

    select
        *,
        case when delivered_at is null then 1.9
             when delivered_at > estimated_at + interval 1 day then 1.75
             else 1 end as gloom,
        1 - draw(n, 'score') as score_draw
    from orders_now
    where has_review

),

graded as (

    select
        *,
        case
            when score_draw < 0.082 * gloom ** 3 then 1
            when score_draw < 0.110 * gloom ** 3 then 2
            when score_draw < 0.190 * gloom ** 2 then 3
            when score_draw < 0.390 * gloom then 4
            else 5
        end as score,
        date_trunc('day', least(coalesce(delivered_at, estimated_at + interval 2 days),
                                estimated_at + interval 2 days)) + interval 1 day as created_at
    from scored

),

written as (

    select
        n,
        special,
        hex_id('review', n) as review_id,
        score,
        created_at,
        created_at + to_seconds((86400 * 1.75 * exp(0.75 * gauss(n, 'answer'))
            + 21600)::bigint) as answered_at,
        case when draw(n, 'title') < 0.115 then case
            when score >= 4 then pick(['Recomendo', 'Ótimo', 'Super recomendo', 'Muito bom',
                'Excelente', 'recomendo', 'Nota 10, voltarei', '"Top"', '10'], draw(n, 'title text'))
            when score = 3 then pick(['Bom', 'Regular', 'Mais ou menos', 'Ok, nada mais'],
                draw(n, 'title text'))
            else pick(['Não recomendo', 'Péssimo', 'Não recebi', 'Decepção, atraso',
                'Produto errado'], draw(n, 'title text'))
        end end as title,
        case when is_anchor
                  or draw(n, 'message') < [0.77, 0.64, 0.44, 0.32, 0.37][score] then
            sentence(score, draw(n, 'first sentence'))
            || case when is_anchor or draw(n, 'sentences') < 0.6
                    then joint(case when is_anchor then 0 else draw(n, 'first joint') end)
                         || sentence(score, draw(n, 'second sentence')) else '' end
            || case when draw(n, 'sentences') < 0.25
                    then joint(draw(n, 'second joint'))
                         || sentence(score, draw(n, 'third sentence')) else '' end
            || pick(['', '.', '.', '!', ' '], draw(n, 'last mark'))
        end as message
    from graded

),

given as (

    -- the review of the order before is given to this order as well
    select written.*, later.n as given_n, 1 as k
    from written
    join orders_now as later on later.n = written.n + 1
    where later.has_review
        and written.special is distinct from 'shared review'
        and (later.special = 'shared review'
             or (later.special is null and not later.is_anchor and is_sharing(later.n)))

),

own as (

    select written.*, written.n as given_n, 1 as k
    from written
    anti join given on given.given_n = written.n

),

second as (

    select
        written.* replace (
            hex_id('second review', n) as review_id,
            created_at + to_days(1 + floor(9 * draw(n, 'second day'))::integer) as created_at,
            answered_at + to_days(11) as answered_at,
            greatest(1, score - 1) as score
        ),
        n as given_n,
        2 as k
    from written
    where draw(n, 'two reviews') < 0.0055 or special = 'two reviews'

),

gathered as (

    select given_n, k, review_id, score, title, message, created_at, answered_at from own
    union all
    select given_n, k, review_id, score, title, message, created_at, answered_at from given
    union all
    select given_n, k, review_id, score, title, message, created_at, answered_at from second

)

select
    gathered.given_n as n,
    k,
    part,
    is_late,
    order_id,
    gathered.* exclude (given_n, k)
from gathered
join orders_now on orders_now.n = given_n
where given_n >= getvariable('first_order');
