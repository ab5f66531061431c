-- category: concurrent
-- Each session takes commit ids in advance: a child can have a smaller id than its parent.
ALTER SEQUENCE pggit.commits_id_seq CACHE 20;
