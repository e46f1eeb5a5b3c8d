"""The ClickHouse store: embedded or over HTTP, migrations, queries."""
