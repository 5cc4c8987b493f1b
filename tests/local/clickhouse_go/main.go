// Speaks to a ClickHouse HTTP interface as the collector's clickhouse exporter and Grafana do: through clickhouse-go.
//
//	clickhouse_go http://127.0.0.1:8123 none|lz4|zstd|gzip|deflate [password]
//
// Pings, inserts a batch into otel_logs, reads it back, asks for an error, and prints "ok ROWS". Exit code 1 and the reason otherwise.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const (
	rows      = 5000
	insertSQL = "INSERT INTO \"default\".\"otel_logs\" (Timestamp, TraceId, ServiceName, Body, ResourceAttributes, LogAttributes, EventName) VALUES (?, ?, ?, ?, ?, ?, ?)"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := open(os.Args)
	if err == nil {
		err = run(ctx, conn, fmt.Sprintf("go-%s-%d", os.Args[2], time.Now().UnixNano()))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok", rows)
}

func open(args []string) (driver.Conn, error) {
	dsn := args[1] + "/default?async_insert=1&compress=" + args[2]
	if args[2] == "none" {
		dsn = args[1] + "/default?async_insert=1"
	}
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if len(args) > 3 {
		options.Auth.Username, options.Auth.Password = "default", args[3]
	}
	return clickhouse.Open(options)
}

func run(ctx context.Context, conn driver.Conn, service string) error {
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	if err := describe(ctx, conn); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if err := insert(ctx, conn, service); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	if err := read(ctx, conn, service); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return refused(ctx, conn)
}

// describe asks what the exporter asks when it starts: is there a column EventName?
func describe(ctx context.Context, conn driver.Conn) error {
	found, err := conn.Query(ctx, "DESC TABLE \"default\".\"otel_logs\"")
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var name, kind, ignored string
		if err := found.Scan(&name, &kind, &ignored, &ignored, &ignored, &ignored, &ignored); err != nil {
			return err
		}
		if name == "EventName" && kind == "String" {
			return nil
		}
	}
	return errors.New("otel_logs has no column EventName")
}

func insert(ctx context.Context, conn driver.Conn, service string) error {
	batch, err := conn.PrepareBatch(ctx, insertSQL)
	if err != nil {
		return err
	}
	for i := range rows {
		body := fmt.Sprintf("body %d: \"é\"\n\x00", i)
		attributes := map[string]string{"session.id": service, "n": fmt.Sprint(i)}
		err := batch.Append(time.Now(), "5b8efff798038103d269b633813fc60c", service, body, map[string]string{"service.name": service}, attributes, "event")
		if err != nil {
			return err
		}
	}
	return batch.Send()
}

func read(ctx context.Context, conn driver.Conn, service string) error {
	found, err := conn.Query(ctx, "SELECT Body, LogAttributes FROM otel_logs WHERE ServiceName = ? ORDER BY toUInt32(LogAttributes['n'])", service)
	if err != nil {
		return err
	}
	defer found.Close()
	count := 0
	for found.Next() {
		var body string
		var attributes map[string]string
		if err := found.Scan(&body, &attributes); err != nil {
			return err
		}
		if body != fmt.Sprintf("body %d: \"é\"\n\x00", count) || attributes["n"] != fmt.Sprint(count) {
			return fmt.Errorf("row %d came back as %q, %v", count, body, attributes)
		}
		count++
	}
	if count != rows {
		return fmt.Errorf("%d rows instead of %d", count, rows)
	}
	return found.Err()
}

// refused checks that an error of the engine arrives as one, with its code.
func refused(ctx context.Context, conn driver.Conn) error {
	var exception *clickhouse.Exception
	err := conn.Exec(ctx, "SELECT * FROM no_such_table")
	if !errors.As(err, &exception) || exception.Code != 60 {
		return fmt.Errorf("an unknown table gave %v", err)
	}
	return nil
}
