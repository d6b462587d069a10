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
    not_null. The first rule in their order that refuses a row decides what becomes of it.
    Returns (name, condition that holds for a good row, on_failure) of each.
-#}
{% macro rules_of(node) -%}

    {%- set rules = [] -%}
    {%- for key in snowmelt.as_list(node.config.get('unique_key')) -%}
        {%- do rules.append({
            'name': 'not_null_' ~ key, 'condition': key ~ ' is not null', 'on_failure': 'quarantine',
        }) -%}
    {%- endfor -%}
    {%- for given in (node.config.get('meta') or {}).get('rules', []) -%}
        {%- set kind = given.get('rule') -%}
        {%- set column = given.get('column') -%}
        {%- set on_failure = given.get('on_failure', 'quarantine') -%}
        {%- set condition = snowmelt.rule_condition(node, given) -%}
        {%- if on_failure not in ('drop', 'quarantine', 'fail', 'warn') -%}
            {{ exceptions.raise_compiler_error(
                "model " ~ node.name ~ ": on_failure: " ~ on_failure
                ~ " is not known; drop, quarantine, fail and warn are"
            ) }}
        {%- endif -%}
        {%- do rules.append({
            'name': given.get('name') or (kind ~ '_' ~ (column or loop.index)),
            'condition': condition,
            'on_failure': on_failure,
        }) -%}
    {%- endfor -%}
    {{- return(rules) -}}

{%- endmacro %}


{% macro rule_condition(node, given) -%}

    {%- set kind = given.get('rule') -%}
    {%- set column = given.get('column') -%}
    {%- set needed = {
        'not_null': ['column'], 'email': ['column'], 'between': ['column', 'low', 'high'],
        'in_set': ['column', 'values'], 'matches': ['column', 'pattern'], 'expression': ['expression'],
    } -%}
    {%- if kind not in needed -%}
        {{ exceptions.raise_compiler_error(
            "model " ~ node.name ~ ": rule: " ~ kind ~ " is not known; "
            ~ (needed | join(', ')) ~ " are"
        ) }}
    {%- endif -%}
    {%- for key in needed[kind] if given.get(key) is none -%}
        {{ exceptions.raise_compiler_error(
            "model " ~ node.name ~ ": rule " ~ kind ~ " needs '" ~ key ~ "'"
        ) }}
    {%- endfor -%}
    {%- for key in given if key not in needed[kind] + ['rule', 'name', 'on_failure'] -%}
        {{ exceptions.raise_compiler_error(
            "model " ~ node.name ~ ": rule " ~ kind ~ " does not know '" ~ key ~ "'"
        ) }}
    {%- endfor -%}
    {%- if kind == 'not_null' -%}
        {{- return(column ~ ' is not null') -}}
    {%- elif kind == 'email' -%}
        {{- return(snowmelt.full_match(column, "[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+")) -}}
    {%- elif kind == 'between' -%}
        {{- return(column ~ ' between ' ~ snowmelt.literal(given.low) ~ ' and ' ~ snowmelt.literal(given.high)) -}}
    {%- elif kind == 'in_set' -%}
        {%- set values = [] -%}
        {%- for value in given['values'] -%}{%- do values.append(snowmelt.literal(value)) -%}{%- endfor -%}
        {{- return(column ~ ' in (' ~ (values | join(', ')) ~ ')') -}}
    {%- elif kind == 'matches' -%}
        {{- return(snowmelt.full_match(column, given.pattern)) -}}
    {%- else -%}
        {{- return('(' ~ given.expression ~ ')') -}}
    {%- endif -%}

{%- endmacro %}


{% macro full_match(column, pattern) -%}
    {{- return("regexp_full_match(cast(" ~ column ~ " as varchar), " ~ snowmelt.literal(pattern) ~ ")") -}}
{%- endmacro %}


{% macro literal(value) -%}
    {%- if value is string -%}
        {{- return("'" ~ (value | replace("'", "''")) ~ "'") -}}
    {%- elif value is boolean -%}
        {{- return('true' if value else 'false') -}}
    {%- elif value is number -%}
        {{- return(value | string) -}}
    {%- else -%}
        {{- return("'" ~ value ~ "'") -}}
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


{#-
    Three more columns for the rows of a query: what becomes of each (_outcome: pass, drop,
    quarantine or fail), the rule that decided (_rule), and the rules that only warn (_warned).
-#}
{% macro judged(rules, from) -%}

    {%- set refusing = rules | rejectattr('on_failure', 'equalto', 'warn') | list -%}
    {%- set warning = rules | selectattr('on_failure', 'equalto', 'warn') | list -%}
    select
        *,
        {% if refusing -%}
        case
            {% for rule in refusing -%}
            when ({{ rule.condition }}) is false then '{{ rule.on_failure }}'
            {% endfor -%}
            else 'pass'
        end
        {%- else -%}'pass'{%- endif %} as _outcome,
        {% if refusing -%}
        case
            {% for rule in refusing -%}
            when ({{ rule.condition }}) is false then {{ snowmelt.literal(rule.name) }}
            {% endfor -%}
        end
        {%- else -%}cast(null as varchar){%- endif %} as _rule,
        {% if warning -%}
        {% for rule in warning -%}
        (({{ rule.condition }}) is false){{ ' or ' if not loop.last }}
        {%- endfor %}
        {%- else -%}false{%- endif %} as _warned
    from {{ from }}

{%- endmacro %}
