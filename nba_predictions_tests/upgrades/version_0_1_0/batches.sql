BEGIN TRANSACTION;
CREATE TABLE batch_times (
  batch_id TEXT NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (batch_id, state)
);
INSERT INTO "batch_times" VALUES('batch_2025-10-28_1795601772','created','2026-11-25T10:16:12.063589+00:00');
INSERT INTO "batch_times" VALUES('batch_2025-10-28_1795601772','staging','2026-11-25T10:16:12.065624+00:00');
INSERT INTO "batch_times" VALUES('batch_2025-10-28_1795601772','staged','2026-11-25T10:16:14.016742+00:00');
INSERT INTO "batch_times" VALUES('batch_2025-10-28_1795601772','consolidated','2026-11-25T10:16:14.522741+00:00');
INSERT INTO "batch_times" VALUES('batch_2025-10-28_1795601772','cleaned','2026-11-25T10:16:16.184172+00:00');
INSERT INTO "batch_times" VALUES('batch_2025-10-28_1795601772','published','2026-11-25T10:16:16.748636+00:00');
INSERT INTO "batch_times" VALUES('batch_2025-10-29_1795601804','created','2026-11-25T10:16:44.194684+00:00');
INSERT INTO "batch_times" VALUES('batch_2025-10-29_1795601804','staging','2026-11-25T10:16:44.197070+00:00');
CREATE TABLE batches (
  batch_id TEXT PRIMARY KEY, game_date TEXT NOT NULL, state TEXT NOT NULL,
  expected_players INTEGER NOT NULL, games INTEGER NOT NULL, slate_fingerprint TEXT NOT NULL,
  created_at TEXT NOT NULL, run_id TEXT NOT NULL, source TEXT NOT NULL,
  completion_threshold REAL NOT NULL, reason TEXT, announce INTEGER NOT NULL DEFAULT 1
);
INSERT INTO "batches" VALUES('batch_2025-10-28_1795601772','2025-10-28','published',32,2,'d842063325da4076','2026-11-25T10:16:12.053886+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','files',0.9,NULL,1);
INSERT INTO "batches" VALUES('batch_2025-10-29_1795601804','2025-10-29','staging',32,2,'0bfb12f1579057f9','2026-11-25T10:16:44.192878+00:00','58f1d9e7-605c-4f5f-b9af-8550ebb7f736','files',0.9,NULL,1);
CREATE TABLE completions (
  batch_id TEXT NOT NULL, player_lookup TEXT NOT NULL, row_count INTEGER NOT NULL,
  recorded_at TEXT NOT NULL, run_id TEXT NOT NULL, staging_table TEXT, skip_reason TEXT,
  fingerprint TEXT,
  PRIMARY KEY (batch_id, player_lookup)
);
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','andreleclerque',30,'2026-11-25T10:16:12.661915+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/andreleclerque',NULL,'e7261a3b57989535');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','andrequenneville',30,'2026-11-25T10:16:12.663301+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/andrequenneville',NULL,'74ea82cd0ada49f7');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','armelselwyne',30,'2026-11-25T10:16:12.687643+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/armelselwyne',NULL,'70202e7baa093110');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','breckenbrackenridge',6,'2026-11-25T10:16:12.689944+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/breckenbrackenridge',NULL,'9c5b607ae0090e46');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','darlowinterbourne',6,'2026-11-25T10:16:12.716684+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/darlowinterbourne',NULL,'359e726aafa6966e');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','davorbirchall',6,'2026-11-25T10:16:12.729030+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/davorbirchall',NULL,'56ec461af4c60884');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','desmondnettleship',30,'2026-11-25T10:16:12.748270+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/desmondnettleship',NULL,'723e69dfc1a86ec0');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','edmartrelawney',6,'2026-11-25T10:16:12.754641+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/edmartrelawney',NULL,'24aa731c2f35c67c');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','erasmokeatinge',6,'2026-11-25T10:16:12.770916+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/erasmokeatinge',NULL,'66e8f1726f68a2bc');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','floriansorensky',6,'2026-11-25T10:16:12.785705+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/floriansorensky',NULL,'b162a2815a5958ee');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','halvortillermann',30,'2026-11-25T10:16:12.793854+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/halvortillermann',NULL,'a30eead4c0fe69f6');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','hectorcuthridge',6,'2026-11-25T10:16:12.809747+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/hectorcuthridge',NULL,'1c76201fce2ec7ac');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','hugowaldegrave',6,'2026-11-25T10:16:12.811306+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/hugowaldegrave',NULL,'8af1d239797a2c66');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','jtjessamy',6,'2026-11-25T10:16:12.845914+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/jtjessamy',NULL,'f2d1bdcf569cc13f');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','ilyacuthridge',30,'2026-11-25T10:16:12.854946+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/ilyacuthridge',NULL,'0a2777abaa122d96');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','lysandermerriweather',6,'2026-11-25T10:16:12.871359+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/lysandermerriweather',NULL,'76d4516702fec0ea');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','milobonnevie',30,'2026-11-25T10:16:12.886569+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/milobonnevie',NULL,'a3612a964f62ef54');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','nadirsabliere',30,'2026-11-25T10:16:12.901464+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/nadirsabliere',NULL,'ecee5f2f90dec52f');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','perrinpaskevich',6,'2026-11-25T10:16:12.919336+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/perrinpaskevich',NULL,'79646297ef33341c');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','perrinblackmoor',30,'2026-11-25T10:16:12.922963+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/perrinblackmoor',NULL,'617b0cef13d1fe68');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','remymalmberg',30,'2026-11-25T10:16:12.947526+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/remymalmberg',NULL,'89aeab1e077830ba');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','rurikgalbraithe',6,'2026-11-25T10:16:12.950098+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/rurikgalbraithe',NULL,'efee793b6a21f8f0');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','sachamalmberg',30,'2026-11-25T10:16:12.978528+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/sachamalmberg',NULL,'d407e1e022a5eaed');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','santinoberrigan',30,'2026-11-25T10:16:12.997832+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/santinoberrigan',NULL,'e01377ad51d1a697');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','stellankestrelle',6,'2026-11-25T10:16:13.016341+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/stellankestrelle',NULL,'a33975b4b021b0ed');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','sorenmwangale',30,'2026-11-25T10:16:13.026641+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/sorenmwangale',NULL,'f65331ac1018bf7f');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','stellannarborough',30,'2026-11-25T10:16:13.050672+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/stellannarborough',NULL,'47592ce5ed1f97a4');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','tadeokestrelle',30,'2026-11-25T10:16:13.059163+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/tadeokestrelle',NULL,'b4e33d527cb4cddb');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','thierryellingboe',6,'2026-11-25T10:16:13.074608+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/thierryellingboe',NULL,'e06c88856208fa9e');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','tomaszwarburtonjr',6,'2026-11-25T10:16:13.095896+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/tomaszwarburtonjr',NULL,'1101559cfd59e29f');
INSERT INTO "completions" VALUES('batch_2025-10-28_1795601772','zoltanjurgensen',30,'2026-11-25T10:16:13.110372+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','batch_2025-10-28_1795601772/zoltanjurgensen',NULL,'0097605ee397032c');
INSERT INTO "completions" VALUES('batch_2025-10-29_1795601804','armelselwyne',30,'2026-11-25T10:16:44.908850+00:00','58f1d9e7-605c-4f5f-b9af-8550ebb7f736','batch_2025-10-29_1795601804/armelselwyne',NULL,'5522e6a33d4049ad');
INSERT INTO "completions" VALUES('batch_2025-10-29_1795601804','andrequenneville',30,'2026-11-25T10:16:44.909035+00:00','58f1d9e7-605c-4f5f-b9af-8550ebb7f736','batch_2025-10-29_1795601804/andrequenneville',NULL,'c8aa809a84f7bf40');
INSERT INTO "completions" VALUES('batch_2025-10-29_1795601804','aurelvelasquin',30,'2026-11-25T10:16:44.934985+00:00','58f1d9e7-605c-4f5f-b9af-8550ebb7f736','batch_2025-10-29_1795601804/aurelvelasquin',NULL,'24b03549205f2cbb');
INSERT INTO "completions" VALUES('batch_2025-10-29_1795601804','ashermiddlemarch',30,'2026-11-25T10:16:44.937287+00:00','58f1d9e7-605c-4f5f-b9af-8550ebb7f736','batch_2025-10-29_1795601804/ashermiddlemarch',NULL,'4682388405b28245');
CREATE TABLE dead_letters (
  batch_id TEXT NOT NULL, player_lookup TEXT NOT NULL, error_class TEXT NOT NULL,
  message TEXT NOT NULL, traceback TEXT NOT NULL, attempts INTEGER NOT NULL,
  recorded_at TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (batch_id, player_lookup)
);
INSERT INTO "dead_letters" VALUES('batch_2025-10-28_1795601772','zoltanoldcastle','FloatingPointError','no forecast for zoltanoldcastle','Traceback (most recent call last):
  File "/app/nba_predictions/night/staging.py", line 265, in of_player
    return attempts(self._attempt, player)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/.venv/lib/python3.11/site-packages/tenacity/__init__.py", line 550, in __call__
    do = self.iter(retry_state=retry_state)
         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/.venv/lib/python3.11/site-packages/tenacity/__init__.py", line 440, in iter
    result = action(retry_state)
             ^^^^^^^^^^^^^^^^^^^
  File "/app/.venv/lib/python3.11/site-packages/tenacity/__init__.py", line 482, in exc_check
    retry_exc.reraise()
  File "/app/.venv/lib/python3.11/site-packages/tenacity/__init__.py", line 216, in reraise
    raise self.last_attempt.result()
          ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/root/.pyenv/versions/3.11.7/lib/python3.11/concurrent/futures/_base.py", line 449, in result
    return self.__get_result()
           ^^^^^^^^^^^^^^^^^^^
  File "/root/.pyenv/versions/3.11.7/lib/python3.11/concurrent/futures/_base.py", line 401, in __get_result
    raise self._exception
  File "/app/.venv/lib/python3.11/site-packages/tenacity/__init__.py", line 553, in __call__
    result = fn(*args, **kwargs)
             ^^^^^^^^^^^^^^^^^^^
  File "/app/nba_predictions/night/staging.py", line 272, in _attempt
    rows = self.predict(player)
           ^^^^^^^^^^^^^^^^^^^^
  File "/app/nba_predictions/night/predicting.py", line 56, in predict
    for system_id, forecast in predict_all(features.slice(at, 1), models, lines).items()
                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/failing_player.py", line 11, in predict_all
    if features["player_lookup"][0] == bad: raise FloatingPointError(f"no forecast for {bad}")
                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
FloatingPointError: no forecast for zoltanoldcastle
',3,'2026-11-25T10:16:13.161977+00:00','17dce814-32fe-4265-a890-f33a34fdc05b');
CREATE TABLE leases (
  game_date TEXT PRIMARY KEY, holder TEXT, token INTEGER NOT NULL, expires_at TEXT NOT NULL
);
INSERT INTO "leases" VALUES('2025-10-28',NULL,2,'2026-11-25T10:19:16.118792+00:00');
CREATE TABLE ledger (
  entry INTEGER PRIMARY KEY AUTOINCREMENT, batch_id TEXT NOT NULL, event TEXT NOT NULL,
  at TEXT NOT NULL, run_id TEXT NOT NULL, counts TEXT NOT NULL
);
INSERT INTO "ledger" VALUES(1,'batch_2025-10-28_1795601772','created','2026-11-25T10:16:12.053886+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','{"games": 2, "expected_players": 32, "players": 32, "with_line": 16, "skips": 0, "quotes_off_slate": 0}');
INSERT INTO "ledger" VALUES(2,'batch_2025-10-28_1795601772','staged','2026-11-25T10:16:14.016924+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','{"expected_players": 32, "completed": 31, "skipped": 0, "failed": 1}');
INSERT INTO "ledger" VALUES(3,'batch_2025-10-28_1795601772','dead_letter_announced','2026-11-25T10:16:14.025450+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','{"dedup_id": "batch_2025-10-28_1795601772/zoltanoldcastle/17dce814-32fe-4265-a890-f33a34fdc05b", "message_id": "outbox-1"}');
INSERT INTO "ledger" VALUES(4,'batch_2025-10-28_1795601772','merged','2026-11-25T10:16:14.163425+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','{"players_expected": 32, "tables_expected": 31, "tables_found": 31, "rows_recorded": 570, "rows_staged": 570, "distinct_keys": 570, "inserted": 570, "updated": 0, "superseded": 0, "batch_rows_expected": 570, "batch_rows_in_target": 570, "duplicate_keys_in_target": 0, "retired": 0, "duplicates_collapsed": 0}');
INSERT INTO "ledger" VALUES(5,'batch_2025-10-28_1795601772','cleaned','2026-11-25T10:16:16.119043+00:00','17dce814-32fe-4265-a890-f33a34fdc05b','{"tables_dropped": 31, "rows_in_target": 570}');
INSERT INTO "ledger" VALUES(6,'batch_2025-10-28_1795601772','published','2026-11-25T10:16:16.748191+00:00','729fc201-30cf-49a4-a91d-21d3376c2024','{"message_id": "outbox-2", "status": "partial", "message": {"processor_name": "nba_predictions", "phase": "phase_5_predictions", "execution_id": "batch_2025-10-28_1795601772", "correlation_id": "17dce814-32fe-4265-a890-f33a34fdc05b", "game_date": "2025-10-28", "status": "partial", "timestamp": "2026-11-25T10:16:16.744796Z", "record_count": 570, "records_failed": 1, "duration_seconds": 2.109539, "output_table": "player_prop_predictions", "metadata": {"batch_id": "batch_2025-10-28_1795601772", "expected_players": 32, "completed_players": 31, "skipped_players": 0, "failed_players": 1, "rows_staged": 570, "rows_merged": 570, "completion_pct": 96.88}}}');
INSERT INTO "ledger" VALUES(7,'batch_2025-10-29_1795601804','created','2026-11-25T10:16:44.192878+00:00','58f1d9e7-605c-4f5f-b9af-8550ebb7f736','{"games": 2, "expected_players": 32, "players": 32, "with_line": 16, "skips": 0, "quotes_off_slate": 0}');
CREATE INDEX batches_by_date ON batches (game_date, created_at);
CREATE UNIQUE INDEX one_unfinished_batch ON batches (game_date)
  WHERE state IN ('created', 'staged', 'staging', 'stalled');
CREATE INDEX ledger_by_batch ON ledger (batch_id, entry);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('ledger',7);
COMMIT;
