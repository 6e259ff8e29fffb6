-- Everything of Mnemo lives in this schema. pgvector supplies bit and its Hamming operators, pgcrypto the vaults.
create schema if not exists mnemo;
create extension if not exists vector with schema public;
create extension if not exists pgcrypto with schema public;

comment on schema mnemo is 'Long-term memory as hypervectors: bit({bits}), Hamming distance, tiers.';
