-- tie_hypervector(): random_hypervector('mnemo:tie'), whose components settle every tie of a majority.
-- Immutable and without arguments, so a plan holds it as a constant.
create or replace function mnemo.tie_hypervector() returns bit
language sql immutable parallel safe
as $$ select mnemo.random_hypervector('mnemo:tie') $$;
