-- The finding of one check: p_status and the trouble where there is one (not null), else ok.
create or replace function mnemo.verdict(p_check text, p_status text, p_trouble text, p_fine text, p_advice text) returns mnemo.finding
language sql immutable parallel safe
as $$
    select case when p_trouble is null
        then row(p_check, 'ok', p_fine, null)::mnemo.finding
        else row(p_check, p_status, p_trouble, p_advice)::mnemo.finding
    end
$$;
