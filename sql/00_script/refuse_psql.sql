\echo Use "CREATE EXTENSION pggit_chaos" to load this file. \quit
