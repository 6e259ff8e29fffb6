-- What the composite encoding changes in the tables of earlier revisions. The statistics are tables of their own.
alter table mnemo.collection
    add column encoding jsonb not null default '{}' check (jsonb_typeof(encoding) = 'object'),
    add column ranking jsonb not null default '{}' check (jsonb_typeof(ranking) = 'object'),
    alter column encoder set default 'composite',
    alter column keep_embedding set default true,
    add constraint collection_encoder_check check (encoder in ('composite', 'lexical'));
comment on column mnemo.collection.encoder is 'composite: meaning, words and neighbours in one sum; lexical: words and their parts alone.';
comment on column mnemo.collection.encoding is 'The weights of a composite, all of them, as mnemo.encoding made them; fixed, since memories are encoded with them.';
comment on column mnemo.collection.ranking is 'The weights of the second stage, all of them, as mnemo.ranking made them; mnemo.alter_collection changes them.';

-- Memories that are there stay as they were encoded, and so do the queries for them.
update mnemo.collection c
set encoder = 'composite', keep_embedding = true, encoding = '{
    "embedding": 256, "words": 320, "query": {"embedding": 256, "words": 640, "roles": 352},
    "before": [112, 80], "after": [48, 64], "roles": {"speaker": 128},
    "word": 4, "prefix": 4, "prefix_length": 4, "gram": 2,
    "saturation": 256, "document_idf": 1, "query_idf": 3, "context_sample": 128}'
where c.name = 'memories' and not exists (select from mnemo.memory m where m.collection = c.name);
update mnemo.collection c
set ranking = jsonb_build_object(
    'candidates', case c.encoder when 'lexical' then 0 else 100 end, 'coverage', 0.07, 'question', -0.015, 'length', 0.011, 'role', 0,
    'density', 0, 'embedding', 0, 'recency', 0, 'recency_days', 30, 'strength', 0, 'importance', 0);

alter table mnemo.memory add column encoded "char" not null default 'g' check (encoded in ('g', 'w', 'c'));
do $$
declare
    v_segment record;
begin
    for v_segment in select 'memory' as relation union all select s.relation from mnemo.segment s loop
        execute format('comment on column mnemo.%I.encoded is %L', v_segment.relation,
            'How the hypervector came to be: g given by the user, w encoded at its writing, c at a consolidation, with what came before and after.');
    end loop;

    if exists (select from mnemo.memory m where octet_length(m.session) > 500) then
        raise exception 'a memory has a session of more than 500 bytes, which the index of sessions cannot hold' using errcode = 'MN008',
            detail = format('Memory %s.', (select m.id from mnemo.memory m where octet_length(m.session) > 500 limit 1));
    end if;
    drop index mnemo.memory_context;
    create index memory_context on only mnemo.memory (tenant, collection, context, session, occurred_at);
    for v_segment in select s.relation, s.tier from mnemo.segment s loop
        execute format('create index %I on mnemo.%I (tenant, collection, context, session, occurred_at) tablespace %I',
                       v_segment.relation || '_context', v_segment.relation, mnemo.tier_tablespace(v_segment.tier));
        execute format('alter index mnemo.memory_context attach partition mnemo.%I', v_segment.relation || '_context');
    end loop;
end
$$;

alter type mnemo.draft add attribute encoded "char", add attribute terms text[], add attribute words integer;

insert into mnemo.job (name, function, every, enabled, disabled_reason, next_run_at) values
    ('fold_terms', 'mnemo.fold_terms_step', '1 minute', true, null, now());

-- They take more arguments.
drop function mnemo.recall_text(text, integer, text, text, jsonb, boolean);
drop function mnemo.create_collection(text, integer, text, text, boolean, boolean, double precision);
drop function mnemo.remember(text, bit varying, real[], text, text, timestamptz, jsonb, text, text, double precision, text, boolean);
drop function mnemo.run_job_step(text);
