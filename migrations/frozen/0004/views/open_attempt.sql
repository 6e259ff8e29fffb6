-- Attempts that are under way, whoever works on them: their objects may be written yet.
create or replace view mnemo.open_attempt as
select s.attempt from mnemo.segment s where s.attempt is not null
union
select c.attempt from mnemo.copy_attempt c;

comment on view mnemo.open_attempt is 'Attempts that are under way: exports, compactions, restores, copies.';
