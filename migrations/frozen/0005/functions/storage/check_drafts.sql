-- Raises the error of the first draft that cannot be a memory, naming it by its place in the batch and its key.
create or replace function mnemo.check_drafts(p_drafts mnemo.draft[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bad record;
    v_max integer := mnemo.setting('content_max_bytes');
begin
    select d.ordinal, d.key, p.problem[1] as code, p.problem[2] as message into v_bad
    from unnest(p_drafts) as d
    left join mnemo.collection c on c.name = d.collection
    left join mnemo.open_segment t on t.tier = d.tier
    left join mnemo.ranged_attribute r on mnemo.holds_array(d.attributes, r.name)
    cross join lateral (select case
        when c.name is null then
            array['MN004', format('unknown collection %s', coalesce(quote_literal(d.collection), 'null'))]
        when coalesce(d.content, '') !~ '[^[:space:]]' then
            array['MN002', 'content is empty']
        when octet_length(d.content) > v_max then
            array['MN002', format('content has %s bytes, at most %s are kept', octet_length(d.content), v_max)]
        when length(d.hdv) <> {bits} then
            array['MN001', format('hypervector has %s bits, this database stores {bits}', length(d.hdv))]
        when octet_length(d.embedding) <> c.dimension then
            array['MN006', format('embedding has %s dimensions, collection %s takes %s',
                                  octet_length(d.embedding), quote_literal(c.name), c.dimension)]
        when jsonb_typeof(d.attributes) <> 'object' then
            array['MN002', format('attributes must be a JSON object, not %s', jsonb_typeof(d.attributes))]
        when r.name is not null then
            array['MN002', format('attribute %s is indexed and takes no array', quote_literal(r.name))]
        when jsonb_typeof(d.attributes -> 'scores') = 'object' and mnemo.scores_problem(d.attributes -> 'scores') is not null then
            array['MN002', mnemo.scores_problem(d.attributes -> 'scores')]
        when d.importance not between 0 and 1 then
            array['MN002', format('importance must be between 0 and 1, not %s', d.importance)]
        when mnemo.sealed_problem(c, d.content, d.attributes) is not null then
            array['MN002', mnemo.sealed_problem(c, d.content, d.attributes)]
        when mnemo.is_sealed(d.content) and (d.hdv is null or d.embedding is not null) then
            array['MN002', 'a private memory comes with its hypervector, and without an embedding']
        when t.tier is null then
            array['MN007', format('unknown tier %s', coalesce(quote_literal(d.tier), 'null'))]
        when octet_length(d.key) > 1000 or d.key = '' then
            array['MN002', format('key has %s bytes, 1 to 1000 are allowed', octet_length(d.key))]
        when d.occurred_at not between '0001-01-02 00:00:00+00' and '9999-12-31 00:00:00+00' then
            -- Infinity among them: a client that knows no such time could never read the memory again.
            array['MN002', format('occurred_at must lie in the years 1 to 9999, not at %s', d.occurred_at)]
        when octet_length(d.context) > 1000 then
            array['MN002', format('context has %s bytes, at most 1000 are allowed', octet_length(d.context))]
        when octet_length(d.session) > 500 then
            array['MN002', format('session has %s bytes, at most 500 are allowed', octet_length(d.session))]
        when octet_length(mnemo.tenant()) > 1000 then
            -- What is counted and learned of it must fit into index rows, or no access of anybody could be counted.
            array['MN002', format('the tenant has %s bytes, at most 1000 are allowed', octet_length(mnemo.tenant()))]
    end as problem) as p
    where p.problem is not null
    order by d.ordinal
    limit 1;
    if found then
        raise exception '%', v_bad.message using
            errcode = v_bad.code,
            detail = format('Memory %s of the batch%s.', v_bad.ordinal + 1, coalesce(', key ' || quote_literal(v_bad.key), ''));
    end if;
    perform mnemo.check_seals(p_drafts);
end
$$;
