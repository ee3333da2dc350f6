package main

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/telemetry"
)

// ledgerDeliveries is how many deliveries BenchmarkIntakeLedger counts.
const ledgerDeliveries = 100_000

// BenchmarkIntakeLedger counts everything that was acknowledged: the first one
// who asks reads it, those after it only count. The source is paused, so that
// what becomes of a delivery is one event.
func BenchmarkIntakeLedger(b *testing.B) {
	app, err := Start(b.Context(), Config{
		Data: filepath.Join(b.TempDir(), "data"), HTTP: "127.0.0.1:0", Console: "-", Metrics: "-", GRPC: "-", FreeFloor: 1,
		Sources: []string{"bench"}, telemetry: telemetry.Config{LogOutput: &logged{}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = app.Stop(context.WithoutCancel(b.Context())) }()
	ctx := access.WithToken(b.Context(), app.admin)
	client := intakev1.NewIntakeServiceClient(app.conn)
	if _, err := client.ChangeSource(ctx, &intakev1.ChangeSourceRequest{Name: "bench", Source: &intakev1.SourceDeclared{State: paused}, Fields: []string{"state"}}); err != nil {
		b.Fatal(err)
	}
	const connections = 128
	ps, err := dialAll(ctx, app.HTTPAddr, connections)
	if err != nil {
		b.Fatal(err)
	}
	defer ps.close()
	if err := each(connections, func(w int) error {
		for i := w; i < ledgerDeliveries; i += connections {
			if err := ps.send(ctx, w, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	}, nil); err != nil {
		b.Fatal(err)
	}
	if err := app.Settle(ctx); err != nil {
		b.Fatal(err)
	}
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	ask := func() {
		got, err := client.GetIntakeLedger(ctx, &intakev1.GetIntakeLedgerRequest{})
		if err != nil || got.GetAcknowledged() != ledgerDeliveries || got.GetWorked() != ledgerDeliveries {
			b.Fatal(got, err)
		}
	}
	before, began := heap(), time.Now()
	ask()
	first := time.Since(began)
	kept := heap() - before
	for b.Loop() {
		ask()
	}
	b.ReportMetric(ms(first), "first-ms")
	b.ReportMetric(kept/ledgerDeliveries, "kept-bytes/delivery")
}
