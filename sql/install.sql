-- The rows and partitions that every installation starts with.
insert into mnemo.setting (name, value, description) values
    ('bits', {bits}, 'components of a hypervector; fixed at install'),
    ('sketch_bits', {sketch_bits}, 'leading components that are indexed; fixed at install'),
    ('content_max_bytes', 1000000, 'longest content of a memory, in bytes of UTF-8'),
    ('half_life_days', 30, 'days after which an unused memory has half its strength'),
    ('potentiation', 0.1, 'share of the missing strength that one access or reinforcement adds');

do $$
declare
    v_segment record;
begin
    for v_segment in
        select * from (values (0, 'hot', 'memory_hot'), (1, 'warm', 'memory_warm'), (2, 'cold', 'memory_cold_2')) as s (segment, tier, relation)
    loop
        perform mnemo.create_partition(v_segment.relation, v_segment.tier);
        perform mnemo.index_partition(v_segment.relation, v_segment.tier);
        perform mnemo.attach_partition(v_segment.relation, v_segment.segment, v_segment.tier);
    end loop;
end
$$;

select mnemo.create_collection('memories');
