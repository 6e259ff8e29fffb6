-- Attaches an indexed table as the partition of p_segment, of mnemo.memory or for tier archive of mnemo.archived_memory, and records it. Attached, each of its indexes becomes
-- part of its parent's. The open segment of a tier takes its new rows; others are sealed.
create or replace function mnemo.attach_partition(p_relation text, p_segment integer, p_tier text, p_state text default 'open') returns void
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
begin
    -- With this constraint in place ATTACH need not scan the table for rows of another segment.
    execute format('alter table mnemo.%I add constraint segment_is check (segment = %s)', p_relation, p_segment);
    execute format('alter table mnemo.%I attach partition mnemo.%I for values in (%s)',
                   case p_tier when 'archive' then 'archived_memory' else 'memory' end, p_relation, p_segment);
    execute format('alter table mnemo.%I drop constraint segment_is', p_relation);
    insert into mnemo.segment (segment, tier, state, relation, created_at, sealed_at)
    values (p_segment, p_tier, p_state, p_relation, mnemo.now(), case when p_state <> 'open' then mnemo.now() end);
end
$$;
