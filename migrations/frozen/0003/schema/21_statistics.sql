-- What is known of the words of a collection: how many of its memories hold each. Writers only append to term_log; what
-- is pending there is added up by mnemo.fold_terms, by one session at a time, so that no two writers meet at a common word.
create table mnemo.corpus (
    tenant     text not null,
    collection text not null,
    memories   bigint not null,
    words      bigint not null,
    folded     bigint not null default 0,
    primary key (tenant, collection)
) with (fillfactor = 50);

comment on table mnemo.corpus is 'How many memories and words have been counted, by tenant and collection.';
comment on column mnemo.corpus.folded is 'The last row of mnemo.term_log that was added up; few are pending before it.';

create table mnemo.term (
    tenant     text not null,
    collection text not null,
    role       text not null,
    term       text collate "C" not null,
    memories   bigint not null,
    primary key (tenant, collection, role, term)
) with (fillfactor = 80);

comment on table mnemo.term is 'In how many memories of a collection a word stands, or a role has a value.';
comment on column mnemo.term.role is 'Empty for words of the content, else the role whose value the term is.';

create table mnemo.term_log (
    id         bigint generated always as identity primary key,
    tenant     text not null,
    collection text not null,
    memories   bigint not null,
    words      bigint not null,
    roles      text[] not null,
    terms      text[] not null,
    counts     bigint[] not null
);

create index term_log_scope on mnemo.term_log (tenant, collection, id);

comment on table mnemo.term_log is 'Changes of mnemo.term and mnemo.corpus that are not added up yet: one row a batch of writes and collection.';
