-- The content that mnemo.vault_encrypt was given; the one error, 39000, where key or body are not those of then.
create or replace function mnemo.vault_decrypt(p_body bytea, p_key text) returns bytea
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_message bytea := substring(p_body from 33);
begin
    -- Compared by their digests, so that the time it takes does not tell where they differ.
    if p_body is null or p_key is null
       or sha256(hmac(v_message, convert_to('mnemo/vault/authenticate/' || p_key, 'UTF8'), 'sha256'))
          <> sha256(substring(p_body from 1 for 32)) then
        perform mnemo.raise_sealed();
    end if;
    return pgp_sym_decrypt_bytea(v_message, p_key);
end
$$;
