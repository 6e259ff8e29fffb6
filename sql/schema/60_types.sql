-- A memory on its way in. hdv null: encoded from content. embedding: int8 bytes, kept where the collection says
-- so. id and existed are null on the way in; mnemo.write_drafts fills them. encoded: as in mnemo.memory, null for g.
-- terms: the different words of the content, words: how many there are in all; null: counted here.
create type mnemo.draft as (
    ordinal     integer,
    content     text,
    hdv         bit varying,
    embedding   bytea,
    context     text,
    session     text,
    occurred_at timestamptz,
    attributes  jsonb,
    key         text,
    collection  text,
    importance  double precision,
    tier        text,
    pinned      boolean,
    id          uuid,
    existed     boolean,
    encoded     "char",
    terms       text[],
    words       integer
);

-- A memory that a search considers.
create type mnemo.candidate as (
    distance integer,
    id       uuid,
    bucket   smallint,
    segment  integer
);
