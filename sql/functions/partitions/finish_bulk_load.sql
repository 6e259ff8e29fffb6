-- Builds the indexes of a bulk load and puts its table in the place of the partition that mnemo.begin_bulk_load found
-- empty and locked. Only this transaction can have written to that: memories whose key it used again, which move along.
create or replace function mnemo.finish_bulk_load(tier text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_segment  integer := mnemo.segment_of_tier(tier);
    v_relation text;
begin
    select s.relation into v_relation from mnemo.segment s where s.segment = v_segment;
    execute format('insert into mnemo.%I select * from mnemo.%I', v_relation || '_load', v_relation);
    perform mnemo.index_partition(v_relation || '_load', tier);
    execute format('analyze mnemo.%I', v_relation || '_load');
    -- From here to the commit recall waits: milliseconds, nothing is scanned or built.
    execute format('alter table mnemo.memory detach partition mnemo.%I', v_relation);
    execute format('drop table mnemo.%I', v_relation);
    delete from mnemo.segment s where s.segment = v_segment;
    perform mnemo.rename_partition(v_relation || '_load', v_relation);
    perform mnemo.attach_partition(v_relation, v_segment, tier);
end
$$;
