-- Notes that owner.json of this database holds a token that mnemo.attach_store had noted. Nothing where that is not, or no
-- longer, the next one.
create or replace function mnemo.accept_token(token uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    update mnemo.identity i set token = i.next_token, next_token = null
    where i.is_current and i.next_token = accept_token.token;
    perform mnemo.injection_point('archive.token_accepted');
end
$$;
