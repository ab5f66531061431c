-- markers: chaos transaction
-- The pattern of a test in SQL alone: hooks in, a fault armed, pgGit called, and
-- its tables asked what it did.
SELECT plan(6);

SELECT lives_ok($$ SELECT FROM pggit_chaos.install_hooks() $$, 'hooks go in');
SELECT lives_ok(
    $$ SELECT pggit_chaos.arm('pggit.commits.insert.commit', '1*error(40001)') $$,
    'a fault waits for COMMIT');
SELECT throws_ok(
    $$ SELECT pggit.commit_changes('main', 'struck'); SET CONSTRAINTS ALL IMMEDIATE $$,
    '40001', NULL, 'the error surfaces as what it is');
SELECT is_empty($$ SELECT hash FROM pggit.commits $$, 'nothing of the commit is there');
SELECT lives_ok(
    $$ SELECT pggit.commit_changes('main', 'struck'); SET CONSTRAINTS ALL IMMEDIATE $$,
    'a retry succeeds');
SELECT results_eq(
    $$ SELECT message FROM pggit.commits $$, $$ VALUES ('struck'::text) $$,
    'the commit is there once');
