BEGIN TRANSACTION;
CREATE TABLE outbox (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL,
  dedup_id TEXT NOT NULL,
  ordering_key TEXT NOT NULL,
  attributes TEXT NOT NULL,
  data TEXT NOT NULL,
  published_at TEXT NOT NULL,
  UNIQUE (topic, dedup_id)
);
INSERT INTO "outbox" VALUES(1,'nba-phase5-predictions-complete-dead-letters','batch_2025-10-28_1795601772/zoltanoldcastle/17dce814-32fe-4265-a890-f33a34fdc05b','2025-10-28','{"dedup_id": "batch_2025-10-28_1795601772/zoltanoldcastle/17dce814-32fe-4265-a890-f33a34fdc05b", "game_date": "2025-10-28", "phase": "phase_5_predictions"}','{"processor_name":"nba_predictions","phase":"phase_5_predictions","execution_id":"batch_2025-10-28_1795601772","correlation_id":"17dce814-32fe-4265-a890-f33a34fdc05b","game_date":"2025-10-28","player_lookup":"zoltanoldcastle","error_class":"FloatingPointError","error_message":"no forecast for zoltanoldcastle","attempts":3,"timestamp":"2026-11-25T10:16:13.161977Z","run_id":"17dce814-32fe-4265-a890-f33a34fdc05b"}','2026-11-25T10:16:14.022351+00:00');
INSERT INTO "outbox" VALUES(2,'nba-phase5-predictions-complete','batch_2025-10-28_1795601772','2025-10-28','{"dedup_id": "batch_2025-10-28_1795601772", "game_date": "2025-10-28", "phase": "phase_5_predictions"}','{"processor_name":"nba_predictions","phase":"phase_5_predictions","execution_id":"batch_2025-10-28_1795601772","correlation_id":"17dce814-32fe-4265-a890-f33a34fdc05b","game_date":"2025-10-28","status":"partial","timestamp":"2026-11-25T10:16:16.744796Z","record_count":570,"records_failed":1,"duration_seconds":2.109539,"output_table":"player_prop_predictions","metadata":{"batch_id":"batch_2025-10-28_1795601772","expected_players":32,"completed_players":31,"skipped_players":0,"failed_players":1,"rows_staged":570,"rows_merged":570,"completion_pct":96.88}}','2026-11-25T10:16:16.745692+00:00');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',2);
COMMIT;
