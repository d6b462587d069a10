{#-
    The row rules of a latest_version model, from `config: meta: rules:` beside it.

        rules:
          - {rule: not_null, column: customer_id}
          - {rule: between, column: review_score, low: 1, high: 5, on_failure: quarantine}
          - {rule: in_set, column: status, values: [paid, open], on_failure: warn}
          - {rule: matches, column: zip, pattern: '[0-9]{5}', on_failure: drop}
          - {rule: email, column: email}
          - {rule: expression, expression: "shipped_at >= bought_at", name: shipped_after_bought}

    on_failure: quarantine (without it), drop, fail or warn. A null passes every rule but
    not_null; a key is never null: for each column of unique_key there is a rule not_null,
    before the others unless they have it themselves. The first rule in their order that
    refuses a row decides what becomes of it.

    Returns {name, column, condition that holds for a good row, on_failure} of each.
-#}
{% macro rules_of(node) -%}

    {%- set given_rules = (node.config.get('meta') or {}).get('rules') or [] -%}
    {%- if given_rules is mapping or given_rules is string -%}
        {%- do snowmelt.refuse_rule(node, "rules: is a list, each like {rule: not_null, column: id}") -%}
    {%- endif -%}
    {%- set own = [] -%}
    {%- for given in given_rules -%}
        {%- do own.append(snowmelt.rule_of(node, given, loop.index)) -%}
    {%- endfor -%}
    {%- set names = own | map(attribute='name') | list -%}
    {%- for name in names if names.count(name) > 1 -%}
        {%- do snowmelt.refuse_rule(node, "two rules are named " ~ name ~ "; give one of them another name:") -%}
    {%- endfor -%}
    {%- set rules = [] -%}
    {%- for key in snowmelt.as_list(node.config.get('unique_key')) -%}
        {%- set given = own | selectattr('of_null', 'equalto', key | lower) | list -%}
        {%- if given and given[0].on_failure == 'warn' -%}
            {%- do snowmelt.refuse_rule(node, "on_failure of " ~ given[0].name ~ " cannot be warn: a key is never null") -%}
        {%- elif not given -%}
            {%- do rules.append({
                'name': 'not_null_' ~ key, 'column': none, 'of_null': key | lower,
                'condition': key ~ ' is not null', 'on_failure': 'quarantine',
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(rules + own) -}}

{%- endmacro %}


{% macro refuse_rule(node, problem) -%}
    {{- exceptions.raise_compiler_error("model " ~ node.name ~ ": " ~ problem) -}}
{%- endmacro %}


{#- One rule of a model, from what is written; `place` counts from 1. -#}
{% macro rule_of(node, given, place) -%}

    {%- set needed = {
        'not_null': ['column'], 'email': ['column'], 'between': ['column', 'low', 'high'],
        'in_set': ['column', 'values'], 'matches': ['column', 'pattern'], 'expression': ['expression'],
    } -%}
    {%- if given is not mapping -%}
        {%- do snowmelt.refuse_rule(node, "rule " ~ place ~ " (" ~ given ~ ") is written {rule: not_null, column: id}") -%}
    {%- endif -%}
    {%- set kind = given.get('rule') | string -%}
    {%- if kind not in needed -%}
        {%- do snowmelt.refuse_rule(node, "rule: " ~ kind ~ " is not known; " ~ (needed | join(', ')) ~ " are") -%}
    {%- endif -%}
    {%- set column = given.get('column') -%}
    {%- set name = (given.get('name') or (kind ~ '_' ~ (column or place))) | string -%}
    {%- set known = ['rule', 'name', 'on_failure'] + needed[kind] -%}
    {%- for key in given if key not in known -%}
        {%- do snowmelt.refuse_rule(node, "rule " ~ name ~ " does not know '" ~ key ~ "'; " ~ (known | join(', ')) ~ " are known") -%}
    {%- endfor -%}
    {%- for key in needed[kind] if given.get(key) is none -%}
        {%- do snowmelt.refuse_rule(node, "rule " ~ name ~ " needs '" ~ key ~ "'") -%}
    {%- endfor -%}
    {%- set on_failure = given.get('on_failure', 'quarantine') -%}
    {%- if on_failure not in ('drop', 'quarantine', 'fail', 'warn') -%}
        {%- do snowmelt.refuse_rule(
            node, "rule " ~ name ~ ": on_failure: " ~ on_failure ~ " is not known; drop, quarantine, fail, warn are"
        ) -%}
    {%- endif -%}
    {{- return({
        'name': name,
        'column': column if column is none else column | string,
        'of_null': column | lower if kind == 'not_null' else '',
        'condition': snowmelt.rule_condition(node, name, given),
        'on_failure': on_failure,
    }) -}}

{%- endmacro %}


{#- Local parts are atoms between single dots, domains have two labels or more; any alphabet. -#}
{% macro email_pattern() -%}
    {%- set atom = "[\\pL\\pN!#$%&'*+/=?^_`{|}~-]+" -%}
    {%- set label = "[\\pL\\pN]([\\pL\\pN-]*[\\pL\\pN])?" -%}
    {{- return(atom ~ "(\\." ~ atom ~ ")*@" ~ label ~ "(\\." ~ label ~ ")+") -}}
{%- endmacro %}


{% macro rule_condition(node, name, given) -%}

    {%- set kind = given['rule'] -%}
    {%- if kind == 'expression' -%}
        {{- return('(' ~ given['expression'] ~ '\n)') -}}
    {%- endif -%}
    {%- set column = snowmelt.quoted(given['column'] | string) -%}
    {%- if kind == 'not_null' -%}
        {{- return(column ~ ' is not null') -}}
    {%- elif kind == 'email' -%}
        {{- return(snowmelt.full_match(column, snowmelt.email_pattern())) -}}
    {%- elif kind == 'matches' -%}
        {{- return(snowmelt.full_match(column, given['pattern'] | string)) -}}
    {%- elif kind == 'between' -%}
        {{- return(
            column ~ ' between ' ~ snowmelt.rule_value(node, name, given['low'])
            ~ ' and ' ~ snowmelt.rule_value(node, name, given['high'])
        ) -}}
    {%- endif -%}
    {%- set values = [] -%}
    {%- for value in ([] if given['values'] is string or given['values'] is mapping else given['values']) -%}
        {%- do values.append(snowmelt.rule_value(node, name, value)) -%}
    {%- endfor -%}
    {%- if not values -%}
        {%- do snowmelt.refuse_rule(node, "rule " ~ name ~ ": values: is a list of one value or more") -%}
    {%- endif -%}
    {{- return(column ~ ' in (' ~ (values | join(', ')) ~ ')') -}}

{%- endmacro %}


{#- A value of a rule as SQL. -#}
{% macro rule_value(node, name, value) -%}
    {%- if value is none or value is mapping or (value is sequence and value is not string) -%}
        {%- do snowmelt.refuse_rule(node, "rule " ~ name ~ ": " ~ value ~ " is no value to compare with") -%}
    {%- endif -%}
    {{- return(snowmelt.literal(value)) -}}
{%- endmacro %}


{% macro full_match(column, pattern) -%}
    {{- return(adapter.dispatch('full_match', 'snowmelt')(column, pattern)) -}}
{%- endmacro %}


{% macro duckdb__full_match(column, pattern) -%}
    {{- return("regexp_full_match(cast(" ~ column ~ " as varchar), " ~ snowmelt.literal(pattern) ~ ")") -}}
{%- endmacro %}


{#- A column by its name; Snowflake keeps names that nobody quoted in capitals. -#}
{% macro quoted(column) -%}
    {%- set kept = column | upper if target.type == 'snowflake' else column -%}
    {{- return('"' ~ (kept | replace('"', '""')) ~ '"') -}}
{%- endmacro %}


{#- A value as SQL; dates and times as text, which the engine takes for what the column is. -#}
{% macro literal(value) -%}
    {%- if value is boolean -%}
        {{- return('true' if value else 'false') -}}
    {%- elif value is number and (value | string) not in ('inf', '-inf', 'nan') -%}
        {{- return(value | string) -}}
    {%- else -%}
        {%- set text = value | string | replace("'", "''") -%}
        {%- if target.type == 'snowflake' -%}{%- set text = text | replace('\\', '\\\\') -%}{%- endif -%}
        {{- return("'" ~ text ~ "'") -}}
    {%- endif -%}
{%- endmacro %}


{% macro as_list(value) -%}
    {%- if value is none -%}
        {{- return([]) -}}
    {%- elif value is string -%}
        {{- return([value]) -}}
    {%- else -%}
        {{- return(value | list) -}}
    {%- endif -%}
{%- endmacro %}


{#- Refuse a model without the columns that say where a row is from, and a rule of a column that it has not. -#}
{% macro require_columns(node, rules, columns) -%}

    {%- set known = columns | map('lower') | list -%}
    {%- set missing = ['_file', '_file_row', '_load_seq', '_version_at'] | reject('in', known) | list -%}
    {%- if missing -%}
        {%- do snowmelt.refuse_rule(
            node, "a latest_version model keeps where its rows are from. Select also: " ~ (missing | join(', '))
        ) -%}
    {%- endif -%}
    {%- for key in snowmelt.as_list(node.config.get('unique_key')) if key | lower | replace('"', '') not in known -%}
        {%- do snowmelt.refuse_rule(
            node, "unique_key: there is no column '" ~ key ~ "'; " ~ (columns | join(', ')) ~ " are"
        ) -%}
    {%- endfor -%}
    {%- for rule in rules if rule.column is not none and rule.column | lower not in known -%}
        {%- do snowmelt.refuse_rule(
            node, "rule " ~ rule.name ~ ": there is no column '" ~ rule.column ~ "'; " ~ (columns | join(', ')) ~ " are"
        ) -%}
    {%- endfor -%}

{%- endmacro %}


{#-
    Three more columns for the rows of a query: what becomes of each (_outcome: pass, drop,
    quarantine or fail), the rule that decided (_rule), and whether a rule warns of it (_warned).
-#}
{% macro judged(rules, from) -%}

    {%- set refusing = rules | rejectattr('on_failure', 'equalto', 'warn') | list -%}
    {%- set warning = rules | selectattr('on_failure', 'equalto', 'warn') | list -%}
    select
        *,
        {% if refusing -%}
        case
            {% for rule in refusing -%}
            when {{ snowmelt.is_refused(rule.condition) }} then '{{ rule.on_failure }}'
            {% endfor -%}
            else 'pass'
        end
        {%- else -%}'pass'{%- endif %} as _outcome,
        {% if refusing -%}
        case
            {% for rule in refusing -%}
            when {{ snowmelt.is_refused(rule.condition) }} then {{ snowmelt.literal(rule.name) }}
            {% endfor -%}
        end
        {%- else -%}cast(null as varchar){%- endif %} as _rule,
        {% if warning -%}
        {% for rule in warning -%}
        ({{ snowmelt.is_refused(rule.condition) }}){{ ' or ' if not loop.last }}
        {%- endfor %}
        {%- else -%}false{%- endif %} as _warned
    from {{ from }}

{%- endmacro %}


{#- The names of all rules that refuse a row, as SQL; the first of them decided. -#}
{% macro refused_by(rules) -%}
    {%- set refusing = rules | rejectattr('on_failure', 'equalto', 'warn') | list -%}
    {%- set cases = [] -%}
    {%- for rule in refusing -%}
        {%- do cases.append('case when ' ~ snowmelt.is_refused(rule.condition) ~ ' then ' ~ snowmelt.literal(rule.name) ~ ' end') -%}
    {%- endfor -%}
    {{- return(adapter.dispatch('list_of_texts', 'snowmelt')(cases)) -}}
{%- endmacro %}


{#- A list of the texts that are not null, as SQL. -#}
{% macro duckdb__list_of_texts(texts) -%}
    {%- if not texts -%}{{- return('cast([] as varchar[])') -}}{%- endif -%}
    {{- return('list_filter([' ~ (texts | join(', ')) ~ '], lambda name: name is not null)') -}}
{%- endmacro %}


{#- Is a condition false, as SQL? One that is null refuses nothing. -#}
{% macro is_refused(condition) -%}
    {{- return(adapter.dispatch('is_refused', 'snowmelt')(condition)) -}}
{%- endmacro %}


{% macro duckdb__is_refused(condition) -%}
    {{- return('(' ~ condition ~ ') is false') -}}
{%- endmacro %}
