"""AWS Lambda: functions kept on disk and run by the grader's own runtime, without Docker."""
