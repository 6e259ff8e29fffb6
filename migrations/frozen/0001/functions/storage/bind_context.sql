-- The hypervector bound with its context where the collection asks for it, else as it is.
create or replace function mnemo.bind_context(p_collection mnemo.collection, p_hdv bit varying, p_context text) returns bit varying
language sql immutable parallel safe
as $$
    select case when (p_collection).bind_context and p_context is not null
        then mnemo.bind(p_hdv, mnemo.random_hypervector('context:' || p_context))
        else p_hdv
    end
$$;
