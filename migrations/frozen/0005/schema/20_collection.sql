-- A collection says how its memories become hypervectors, so that a query is encoded as they were.
create table mnemo.collection (
    name                text primary key check (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$'),
    encoder             text not null default 'composite' check (encoder in ('composite', 'lexical')),
    encoder_version     integer not null default 1,
    dimension           integer check (dimension between 1 and 100000),
    seed                text not null default 'mnemo:projection',
    bucket_rule         text not null default 'hypervector' check (bucket_rule in ('hypervector', 'context', 'tenant')),
    bind_context        boolean not null default false,
    keep_embedding      boolean not null default true,
    confidence_distance double precision not null default 0.030517578125 check (confidence_distance between 0 and 1),
    created_at          timestamptz not null,
    encoding            jsonb not null default '{}' check (jsonb_typeof(encoding) = 'object'),
    ranking             jsonb not null default '{}' check (jsonb_typeof(ranking) = 'object'),
    sealed              text[] not null default '{}' check (
        array_position(sealed, null) is null and not sealed && array['', 'scores'] and array_to_string(sealed, '') !~ '[.]'
        and array_to_string(array_remove(sealed, '$content'), '') !~ '[$]')
);

comment on table mnemo.collection is 'Named sets of memories and the way their text or embedding becomes a hypervector.';
comment on column mnemo.collection.dimension is 'Dimension of embeddings; taken from the first one written when not given.';
comment on column mnemo.collection.seed is 'Seed of the random projection of embeddings.';
comment on column mnemo.collection.bucket_rule is 'What chooses the bucket of a new memory: leading bits of its hypervector, its context, or its tenant.';
comment on column mnemo.collection.bind_context is 'Bind (XOR) encoded hypervectors with random_hypervector(''context:'' || context).';
comment on column mnemo.collection.keep_embedding is 'Keep the int8 embedding beside the hypervector.';
comment on column mnemo.collection.confidence_distance is 'Recall stops at a tier when all k hits are within this fraction of the bits (500 of 16,384).';
comment on column mnemo.collection.encoder is 'composite: meaning, words and neighbours in one sum; lexical: words and their parts alone.';
comment on column mnemo.collection.encoding is 'The weights of a composite, all of them, as mnemo.encoding made them; fixed, since memories are encoded with them.';
comment on column mnemo.collection.ranking is 'The weights of the second stage, all of them, as mnemo.ranking made them; mnemo.alter_collection changes them.';
comment on column mnemo.collection.sealed is 'Attributes whose values come sealed by the client, never in clear; $content: the contents too.';
