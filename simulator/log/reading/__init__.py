"""What `LogReader` can be asked, by topic; all SQL on a log stands here and beside it."""
